import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { players } from '../../playback/players.svelte';
import type { DestinationStatus, Feed, Role, State } from '../../api/protocol.gen';
import { studio } from '../../api/studio.svelte';
import { empty } from '../../api/types';
import Panel from './Panel.svelte';

const feed = (id: string, name: string, change: Partial<Feed> = {}): Feed => ({
	id,
	name,
	added: true,
	hasKey: true,
	state: 'live',
	kbps: 2500,
	fps: 30,
	keyframeIntervalMs: 1000,
	viewers: 1,
	watch: { ok: false, reason: 'No video in this test.' },
	...change,
});
const destination = (id: string, change: Partial<DestinationStatus>): DestinationStatus => ({
	id,
	name: id,
	url: 'rtmp://x/y',
	enabled: true,
	hasKey: true,
	state: 'off',
	since: '',
	attempt: 0,
	backup: false,
	kbps: 0,
	latencyMs: 0,
	framesDropped: 0,
	bytesSent: 0,
	...change,
});

let panel: object;
let send: ReturnType<typeof vi.spyOn>;

function show(change: Partial<State> = {}, role: Role = 'admin') {
	studio.state = {
		...empty,
		feeds: [feed('cam1', 'Bench'), feed('cam2', 'Crane')],
		mixer: {
			...empty.mixer,
			connected: true,
			studioMode: true,
			sources: [
				{ name: 'cam1', feeds: ['cam1'] },
				{ name: 'cam2', feeds: ['cam2'] },
			],
			program: 'cam1',
			preview: 'cam2',
		},
		program: { ...empty.program, level: 'mixer', onAir: 'cam1', target: 'cam1' },
		...change,
	};
	studio.you = { name: 'Anna', role };
	studio.loaded = true;
	studio.connection = { state: 'up', since: 0 };
	flushSync();
}

const press = (key: string, code: string, change: KeyboardEventInit = {}, target: EventTarget = document.body) =>
	target.dispatchEvent(new KeyboardEvent('keydown', { key, code, bubbles: true, cancelable: true, ...change }));
const button = (name: RegExp) =>
	[...document.querySelectorAll('button')].find((b) => name.test(b.getAttribute('aria-label') ?? b.textContent ?? ''));
const text = () => (document.body.textContent ?? '').replace(/\s+/g, ' ');

beforeEach(() => {
	send = vi.spyOn(studio, 'send').mockResolvedValue({ ok: true, result: null } as never);
	show();
	panel = mount(Panel, { target: document.body });
	flushSync();
});

afterEach(() => void unmount(panel));

test('F6 moves from section to section, and back', () => {
	const part = () =>
		document.activeElement?.closest('[aria-label]:is(section, [role=group])')?.getAttribute('aria-label');
	const walked = [1, 2, 3, 4].map(() => (press('F6', 'F6', {}, document.activeElement ?? document.body), part()));
	expect(walked).toEqual(['Cut and take', 'PROGRAM', 'Sources', 'Lower thirds']);
	press('F6', 'F6', { shiftKey: true }, document.activeElement ?? document.body);
	expect(part()).toBe('Sources');
	expect(send).not.toHaveBeenCalled();
});

describe('cutting', () => {
	test('a digit puts the source in preview, Shift and a digit on air', () => {
		press('1', 'Digit1');
		expect(send).toHaveBeenLastCalledWith('mixer.preview', { source: 'cam1' }, 'Preview Bench');
		press('"', 'Digit2', { shiftKey: true });
		expect(send).toHaveBeenLastCalledWith('mixer.cut', { source: 'cam2' }, 'Cut to Crane');
	});

	test('Space cuts and Enter takes', () => {
		press(' ', 'Space');
		expect(send).toHaveBeenLastCalledWith('mixer.cut', {}, 'Cut');
		press('Enter', 'Enter');
		expect(send).toHaveBeenLastCalledWith('mixer.take', {}, 'Take');
	});

	test('a digit without a source does nothing', () => {
		press('9', 'Digit9');
		expect(send).not.toHaveBeenCalled();
	});

	test('a click on a tile does what its key does', () => {
		button(/^Bench, in program: put in preview/)?.click();
		expect(send).toHaveBeenLastCalledWith('mixer.preview', { source: 'cam1' }, 'Preview Bench');
	});

	test('T selects the next transition of the mixer, and a take uses the selected one', () => {
		show({ mixer: { ...studio.state.mixer, transitions: ['Cut', 'Fade', 'Stinger'], transition: { kind: 'Fade' } } });
		press('t', 'KeyT');
		expect(send).toHaveBeenLastCalledWith('mixer.transition', { kind: 'Stinger' }, 'Transition Stinger');
		press('Enter', 'Enter');
		expect(send).toHaveBeenLastCalledWith('mixer.take', {}, 'Take');
	});

	test('without a preview bus a digit cuts straight to program', () => {
		show({ mixer: { ...studio.state.mixer, studioMode: false, preview: '' } });
		press('2', 'Digit2');
		expect(send).toHaveBeenLastCalledWith('mixer.cut', { source: 'cam2' }, 'Cut to Crane');
		expect(text()).toContain('studio mode is off');
	});

	test('while OBS is not connected nothing is offered that it can not do', () => {
		const program = {
			...empty.program,
			level: 'none',
			target: 'mixer',
			pending: 'mixer',
			reason: 'no signal from the mixer',
		} as const;
		show({
			mixer: { ...empty.mixer, kind: 'obs', problem: 'lost the connection to OBS', transitions: ['Cut', 'Fade'] },
			program,
		});
		expect(text()).toContain('Lost the connection to OBS.');
		expect(text()).toContain('OBS is not connected.');
		for (const lie of ['Cutting to', 'Clicking a source', 'Cut to a camera', 'Studio mode'])
			expect(text()).not.toContain(lie);
		expect(document.querySelector<HTMLSelectElement>('[aria-label="Transition"]')?.disabled).toBe(true);
		show({
			mixer: {
				...empty.mixer,
				kind: 'obs',
				connected: true,
				studioMode: true,
				outputs: [{ name: 'stream', state: 'off' }],
			},
			program,
		});
		expect(text()).toContain('OBS is not streaming to the studio: start its stream to put OBS on air.');
		expect(text()).not.toContain('not set up');
		show({ mixer: { ...studio.state.mixer }, program, obs: { available: true, canUndo: false } });
		expect(text()).toContain('This scene collection is not set up for the studio.');
	});

	test('with nothing in preview there is nothing to cut', () => {
		show({ mixer: { ...studio.state.mixer, preview: '' } });
		press(' ', 'Space');
		expect(send).not.toHaveBeenCalled();
		expect(button(/^CUT/)?.disabled).toBe(true);
		expect(button(/^CUT/)?.title).toBe('Nothing in preview.');
	});

	test('a cut that waits for its keyframe is shown', () => {
		show({ mixer: { ...studio.state.mixer, pending: 'cam2' } });
		expect(text()).toContain('Cutting to Crane…');
		expect(button(/^CUT/)?.getAttribute('aria-busy')).toBe('true');
	});
});

test('a colour always has a label', () => {
	const tiles = [...document.querySelectorAll('.tile')];
	expect(tiles.map((t) => [t.classList.contains('program'), /PROGRAM/.test(t.textContent ?? '')])).toEqual([
		[true, true],
		[false, false],
	]);
	expect(tiles.map((t) => [t.classList.contains('preview'), /PREVIEW/.test(t.textContent ?? '')])).toEqual([
		[false, false],
		[true, true],
	]);
});

test('a stream that can not be shown says why', () => {
	expect(text()).toContain('No video in this test.');
});

test('a viewer can not change the show', () => {
	show({ destinations: [destination('yt', { state: 'live' })] }, 'viewer');
	press(' ', 'Space');
	press('1', 'Digit1');
	expect(send).not.toHaveBeenCalled();
	expect(text()).toContain('View only');
	expect(button(/^CUT/)?.disabled).toBe(true);
	expect(button(/^GO LIVE/)?.disabled).toBe(true);
	expect(button(/^Stop/)).toBeUndefined();
	expect(button(/Add a camera/)).toBeUndefined();
});

test('an operator can cut, but not go live', () => {
	show({}, 'operator');
	expect(button(/^CUT/)?.disabled).toBe(false);
	expect(button(/^GO LIVE/)?.disabled).toBe(true);
	expect(text()).toContain('needs the role director');
});

test('without a connection nothing looks live', () => {
	show({
		show: { ...empty.show, live: true, since: new Date().toISOString() },
		destinations: [destination('yt', { state: 'live', kbps: 4000 })],
	});
	studio.connection = { state: 'lost', since: Date.now() - 4000, retryAt: Date.now() + 2000 };
	flushSync();
	expect(document.querySelector('[role=alert]')?.textContent).toContain('Connection lost 4 s ago');
	expect(document.querySelectorAll('.tile.program, .tile.preview, .monitor.lit, .light.on, .show.live')).toHaveLength(
		0,
	);
	expect(text()).not.toContain('4.0 Mbit/s');
	expect([...document.querySelectorAll('.video')].every((p) => p.textContent?.includes('NO CONNECTION'))).toBe(true);
	press(' ', 'Space');
	expect(send).not.toHaveBeenCalled();
});

test('a destination shows its state and reason, and a button to retry', () => {
	show({
		destinations: [
			destination('tw', { state: 'refused', reason: 'the key is wrong' }),
			destination('yt', { state: 'live', kbps: 4200 }),
		],
	});
	expect(text()).toContain('REFUSED The key is wrong.');
	expect(text()).toContain('LIVE 4.2 Mbit/s');
	button(/^Retry now/)?.click();
	expect(send).toHaveBeenLastCalledWith('destination.retry', { id: 'tw' }, 'Retry tw');
});

test('the grace period of a platform counts down in its destination and in the show card', () => {
	const graceDeadline = { platform: 'Twitch', at: new Date(studio.now + 40_500).toISOString(), graceMs: 90_000 };
	show({
		show: { ...empty.show, live: true },
		destinations: [
			destination('tw', {
				state: 'retrying',
				reason: 'tw closed the connection. Twitch ends the broadcast in about 41 s',
				graceDeadline,
			}),
			destination('yt', { state: 'live' }),
		],
	});
	const row = document.querySelector('[data-destination=tw]');
	const meter = row?.querySelector('[role=meter]');
	expect(meter?.textContent?.trim()).toMatch(/^ends in\s+41 s$/);
	expect(meter?.getAttribute('aria-valuenow')).toBe('45');
	expect(row?.querySelector('.reason')?.textContent).toBe('Tw closed the connection.');
	expect(document.querySelector('.show [role=meter]')?.textContent?.trim()).toMatch(/^Twitch ends in\s+41 s$/);
	studio.now += 60_000;
	flushSync();
	const later = { ...graceDeadline, platform: 'YouTube', at: new Date(studio.now + 9_500).toISOString() };
	show({
		show: { ...empty.show, live: true },
		destinations: [
			...studio.state.destinations.slice(0, 1),
			destination('yt', { state: 'retrying', graceDeadline: later }),
		],
	});
	expect(document.querySelector('.show [role=meter]')?.textContent?.trim()).toMatch(/^YouTube ends in\s+10 s$/);
	expect(meter?.textContent?.trim()).toBe('may have ended');
	show({ show: { ...empty.show, live: true }, destinations: [destination('tw', { state: 'live' })] });
	expect(document.querySelector('[role=meter]')).toBeNull();
	studio.now -= 60_000;
});

test('the top bar shows when destinations fail', () => {
	show({
		show: { ...empty.show, live: true },
		destinations: [destination('tw', { state: 'refused' }), destination('yt', { state: 'live' })],
	});
	expect(document.querySelector('header .reach')?.textContent).toBe('1 of 2 live');
	show({
		show: { ...empty.show, live: true },
		destinations: [destination('tw', { state: 'off' }), destination('yt', { state: 'live' })],
	});
	expect(document.querySelector('header .reach')).toBeNull();
});

test('a connection that has gone silent is shown before it is given up', () => {
	studio.silentMs = 5000;
	flushSync();
	expect(document.querySelector('[role=alert]')?.textContent).toContain('No response from the server for 5 s');
	expect(text()).toContain('No response');
	studio.silentMs = 0;
	flushSync();
	expect(document.querySelector('[role=alert]')).toBeNull();
	expect(text()).toContain('Connected');
});

test('a full-screen view stops what it covers after a while', () => {
	vi.useFakeTimers();
	press('f', 'KeyF');
	flushSync();
	vi.advanceTimersByTime(4000);
	expect(players.covered).toBe(false);
	vi.advanceTimersByTime(2000);
	expect(players.covered).toBe(true);
	press('Escape', 'Escape');
	flushSync();
	expect(players.covered).toBe(false);
	vi.useRealTimers();
});

test('ending the show asks first', () => {
	show({ show: { ...empty.show, live: true } });
	button(/^END SHOW/)?.click();
	flushSync();
	expect(send).not.toHaveBeenCalled();
	button(/^End the show$/)?.click();
	expect(send).toHaveBeenLastCalledWith('show.end', {}, 'End the show');
});

test('without cameras the panel says what to do', () => {
	show({ feeds: [], mixer: empty.mixer });
	expect(text()).toContain('No cameras yet');
	button(/Add the first camera/)?.click();
	flushSync();
	expect(document.querySelector('dialog')?.getAttribute('aria-label')).toBe('Add a camera');
});

test('a freeze frame is explained on the program monitor', () => {
	show({ program: { ...empty.program, level: 'freeze', target: 'cam1' } });
	expect(text()).toContain('Freeze frame: no signal from Bench.');
});

test('without a session there is only the login page', () => {
	studio.connection = { state: 'login', since: 0, reason: 'This token is not valid.' };
	flushSync();
	expect(text()).toContain('paste a token');
	expect(text()).toContain('token is not valid');
	expect(document.querySelector('.tile')).toBeNull();
	press(' ', 'Space');
	expect(send).not.toHaveBeenCalled();
});

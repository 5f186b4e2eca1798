import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { GraphicsState, LowerThird, MixerState, Role, State } from '../../api/protocol.gen';
import { studio } from '../../api/studio.svelte';
import { empty } from '../../api/types';
import Panel from './Panel.svelte';

const third = (id: string, name: string, change: Partial<LowerThird> = {}): LowerThird => ({
	id,
	template: 'person',
	text: { name, title: '' },
	...change,
});
const thirds = (change: Partial<GraphicsState> = {}): GraphicsState => ({
	templates: [
		{
			id: 'person',
			name: 'Name and title',
			fields: [
				{ name: 'name', label: 'Name' },
				{ name: 'title', label: 'Title', optional: true },
			],
		},
	],
	items: [third('a', 'Ada'), third('b', 'Grace'), third('c', 'Alan')],
	next: 'a',
	via: 'overlay',
	...change,
});
const obs = (change: Partial<MixerState> = {}): MixerState => ({
	...empty.mixer,
	kind: 'obs',
	version: '31.0.2',
	connected: true,
	studioMode: true,
	sources: [],
	transitions: ['Cut', 'Fade'],
	...change,
});

let panel: object;
let send: ReturnType<typeof vi.spyOn>;

function show(change: Partial<State> = {}, role: Role = 'admin') {
	studio.state = {
		...empty,
		graphics: thirds(),
		mixer: { ...empty.mixer, kind: 'cut', connected: true, studioMode: true },
		...change,
	};
	studio.you = { name: 'Anna', role };
	studio.loaded = true;
	studio.connection = { state: 'up', since: 0 };
	flushSync();
}

const press = (key: string, code: string) => {
	document.body.dispatchEvent(new KeyboardEvent('keydown', { key, code, bubbles: true, cancelable: true }));
	flushSync();
};
const button = (name: RegExp) =>
	[...document.querySelectorAll('button')].find((b) => name.test(b.getAttribute('aria-label') ?? b.textContent ?? ''));
const text = () => (document.body.textContent ?? '').replace(/\s+/g, ' ');
const card = (label: string) => document.querySelector(`section[aria-label="${label}"]`);

beforeEach(() => {
	vi.useFakeTimers();
	send = vi.spyOn(studio, 'send').mockResolvedValue({ ok: true, result: null } as never);
	show();
	panel = mount(Panel, { target: document.body });
	flushSync();
});

afterEach(() => {
	void unmount(panel);
	vi.useRealTimers();
});

describe('lower thirds', () => {
	test('a click shows one, G and a number show one, N shows the next, O hides it', () => {
		show({
			graphics: thirds({
				next: 'b',
				onAir: { ...third('a', 'Ada'), since: new Date().toISOString(), confirmed: true },
			}),
		});
		button(/^Alan: show/)?.click();
		expect(send).toHaveBeenLastCalledWith('graphics.take', { id: 'c' }, 'Lower third Alan');
		press('g', 'KeyG');
		expect(text()).toContain('G …');
		press('2', 'Digit2');
		expect(send).toHaveBeenLastCalledWith('graphics.take', { id: 'b' }, 'Lower third Grace');
		press('n', 'KeyN');
		expect(send).toHaveBeenLastCalledWith('graphics.next', {}, 'Next lower third');
		press('o', 'KeyO');
		expect(send).toHaveBeenLastCalledWith('graphics.out', {}, 'Hide the lower third');
	});

	test('a digit after G does not preview, and an unused number does nothing', () => {
		press('g', 'KeyG');
		press('9', 'Digit9');
		press('g', 'KeyG');
		press('Escape', 'Escape');
		expect(send).not.toHaveBeenCalled();
	});

	test('in a long list a first digit waits for a second', () => {
		show({ graphics: thirds({ items: Array.from({ length: 12 }, (_, i) => third(`i${i + 1}`, `Nr ${i + 1}`)) }) });
		press('g', 'KeyG');
		press('1', 'Digit1');
		expect(send).not.toHaveBeenCalled();
		press('2', 'Digit2');
		expect(send).toHaveBeenLastCalledWith('graphics.take', { id: 'i12' }, 'Lower third Nr 12');
		press('g', 'KeyG');
		press('1', 'Digit1');
		vi.advanceTimersByTime(1000);
		expect(send).toHaveBeenLastCalledWith('graphics.take', { id: 'i1' }, 'Lower third Nr 1');
	});

	test('only what is confirmed looks on air', () => {
		const since = new Date().toISOString();
		show({ graphics: thirds({ onAir: { ...third('a', 'Ada'), since, confirmed: false } }) });
		expect(card('Lower thirds')?.querySelector('li.onair')).toBeNull();
		expect(text()).toContain('GOING ON AIR');
		show({ graphics: thirds({ onAir: { ...third('a', 'Ada'), since, confirmed: true } }) });
		expect(card('Lower thirds')?.querySelector('li.onair')?.textContent).toContain('ON AIR');
		studio.connection = { state: 'lost', since: Date.now(), retryAt: Date.now() + 1000 };
		flushSync();
		expect(card('Lower thirds')?.querySelector('li.onair')).toBeNull();
		expect(card('Lower thirds')?.textContent).toContain('UNKNOWN');
	});

	test('a problem is shown below the lower third on air', () => {
		show({
			graphics: thirds({
				problem: 'nothing draws it: open the overlay page',
				onAir: { ...third('a', 'Ada'), since: new Date().toISOString(), confirmed: false },
			}),
		});
		expect(card('Lower thirds')?.querySelector('.onair')?.textContent).not.toContain('Nothing draws it');
		expect(card('Lower thirds')?.querySelector('.reason')?.textContent).toBe(
			'Nothing draws it: open the overlay page.',
		);
	});

	test('a name is edited in its place in the list', async () => {
		button(/^Grace: edit/)?.click();
		flushSync();
		const input = card('Lower thirds')!.querySelector<HTMLInputElement>('form input')!;
		input.value = 'Grace Hopper';
		input.dispatchEvent(new Event('input', { bubbles: true }));
		button(/^Save$/)?.click();
		expect(send).toHaveBeenLastCalledWith(
			'graphics.update',
			{ id: 'b', template: 'person', text: { name: 'Grace Hopper', title: '' }, autoOutMs: 0 },
			'Lower third Grace Hopper',
			true,
		);
	});

	test('a viewer can neither edit nor show a lower third', () => {
		show({}, 'viewer');
		press('g', 'KeyG');
		press('1', 'Digit1');
		press('n', 'KeyN');
		expect(send).not.toHaveBeenCalled();
		expect(button(/^Ada: edit/)).toBeUndefined();
		expect(button(/^Ada: show/)?.disabled).toBe(true);
	});

	test('an empty list says what to do', () => {
		show({ graphics: thirds({ items: [] }) });
		expect(text()).toContain('No names yet');
	});
});

describe('the cards of the mixer', () => {
	test('what the mixer can not do has no card', () => {
		expect([card('Audio'), card('Clips'), card('Mixer')]).toEqual([null, null, null]);
		expect(document.querySelector('.tbar, .how')).toBeNull();
	});

	test('audio has a fader for each input, and levels while it is visible', () => {
		show({ mixer: obs({ audio: [{ name: 'Mic', muted: false, db: -6.2 }] }) });
		expect(send).toHaveBeenLastCalledWith('audio.meters', { on: true }, 'Start the audio levels', true);
		expect(card('Audio')?.textContent).toContain('−6.2 dB');
		button(/^Mic: on/)?.click();
		expect(send).toHaveBeenLastCalledWith('audio.mute', { input: 'Mic', muted: true }, 'Mute Mic');
		const fader = card('Audio')!.querySelector<HTMLInputElement>('input')!;
		fader.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true, cancelable: true }));
		expect(send).toHaveBeenLastCalledWith(
			'audio.volume',
			{ input: 'Mic', db: -5, moving: false },
			'Fader of Mic',
			false,
		);
		show();
		expect(send).toHaveBeenLastCalledWith('audio.meters', { on: false }, 'Stop the audio levels', true);
	});

	test('the players of our own feeds are not shown as clips', () => {
		show({ mixer: obs({ media: [{ name: 'cam1 feed [obvan]', state: 'playing', cursorMs: 0, lengthMs: 0 }] }) });
		expect(card('Clips')).toBeNull();
		show({ mixer: obs({ media: [{ name: 'Opener', state: 'ended', cursorMs: 4000, lengthMs: 4000 }] }) });
		expect(card('Clips')?.textContent).toContain('ENDED');
		button(/^Opener: Restart/)?.click();
		expect(send).toHaveBeenLastCalledWith('media.restart', { input: 'Opener' }, 'Restart: Opener');
	});

	test('stopping the OBS stream asks first', () => {
		show({
			mixer: obs({
				outputs: [
					{ name: 'stream', state: 'on' },
					{ name: 'record', state: 'off' },
				],
			}),
		});
		button(/^Stop: OBS/)?.click();
		flushSync();
		expect(send).not.toHaveBeenCalledWith('output.stop', expect.anything(), expect.anything());
		button(/^Stop the stream/)?.click();
		expect(send).toHaveBeenLastCalledWith('output.stop', { output: 'stream' }, 'Stop: OBS stream');
		button(/^Start: Recording/)?.click();
		expect(send).toHaveBeenLastCalledWith('output.start', { output: 'record' }, 'Start: Recording');
	});

	test('the OBS setup is previewed before it is done', async () => {
		send.mockResolvedValue({
			ok: true,
			result: { done: false, steps: ['Make the scene "Bench".'], notes: ['It streams already.'] },
		} as never);
		show({ mixer: obs(), obs: { available: true, canUndo: true } });
		button(/^Set up…/)?.click();
		await vi.advanceTimersByTimeAsync(1);
		flushSync();
		expect(send).toHaveBeenLastCalledWith(
			'obs.provision',
			{ preview: true, remove: [], videoKbps: undefined },
			'Preview the OBS setup',
			true,
		);
		expect(text()).toContain('Make the scene "Bench".');
		expect(text()).toContain('It streams already.');
		button(/^Set up$/)?.click();
		expect(send).toHaveBeenLastCalledWith(
			'obs.provision',
			{ preview: false, remove: [], videoKbps: undefined },
			'Set up OBS',
			true,
		);
	});
});

describe('the failover chain', () => {
	const program = {
		...empty.program,
		level: 'backup',
		onAir: 'cam2',
		target: 'mixer',
		reason: 'no video from OBS',
		backups: ['cam2', 'cam1'],
	};
	const feeds = ['cam1', 'cam2', 'cam3'].map((id) => ({
		id,
		name: id.toUpperCase(),
		added: true,
		hasKey: true,
		state: 'live' as const,
		kbps: 0,
		fps: 0,
		keyframeIntervalMs: 0,
		viewers: 0,
		watch: { ok: false },
	}));

	test('shows which level is on air and why, and any can be locked', () => {
		show({ program, feeds });
		const chain = card('Program source');
		expect([...chain!.querySelectorAll('li')].map((li) => li.textContent?.replace(/\s+/g, ' ').trim())).toEqual([
			'Mixer Lock',
			'CAM2 ON AIR Lock',
			'CAM1 Lock',
			'Freeze frame Lock',
		]);
		expect(chain?.textContent).toContain('No video from OBS.');
		button(/^CAM1: lock/)?.click();
		expect(send).toHaveBeenLastCalledWith('program.lock', { level: 'cam1' }, 'Lock CAM1');
		show({ program: { ...program, locked: 'cam1' }, feeds });
		button(/^Automatic/)?.click();
		expect(send).toHaveBeenLastCalledWith('program.lock', { level: '' }, 'Unlock the program');
	});

	test('the order of the backups can be changed', () => {
		show({ program, feeds });
		button(/^Backups…/)?.click();
		flushSync();
		[...document.querySelectorAll<HTMLButtonElement>('dialog [aria-label=Down]')][0]?.click();
		expect(send).toHaveBeenLastCalledWith('program.backups', { feeds: ['cam1', 'cam2'] }, 'Set the backups');
	});
});

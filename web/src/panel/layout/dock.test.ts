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
	studio.known = true;
	studio.link = { state: 'up', since: 0 };
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
	test('a click takes, G and a number take, N is next, O is out', () => {
		show({
			graphics: thirds({
				next: 'b',
				onAir: { ...third('a', 'Ada'), since: new Date().toISOString(), confirmed: true },
			}),
		});
		button(/^Alan: bring on air/)?.click();
		expect(send).toHaveBeenLastCalledWith('graphics.take', { id: 'c' }, 'Lower third Alan');
		press('g', 'KeyG');
		expect(text()).toContain('G …');
		press('2', 'Digit2');
		expect(send).toHaveBeenLastCalledWith('graphics.take', { id: 'b' }, 'Lower third Grace');
		press('n', 'KeyN');
		expect(send).toHaveBeenLastCalledWith('graphics.next', {}, 'The next lower third');
		press('o', 'KeyO');
		expect(send).toHaveBeenLastCalledWith('graphics.out', {}, 'Take the lower third out');
	});

	test('a digit after G is no preview, and a number nobody has does nothing', () => {
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
		expect(card('Lower thirds')?.querySelector('.onair')).toBeNull();
		expect(text()).toContain('GOING ON AIR');
		show({ graphics: thirds({ onAir: { ...third('a', 'Ada'), since, confirmed: true } }) });
		expect(card('Lower thirds')?.querySelector('.onair')?.textContent).toContain('ON AIR');
		studio.link = { state: 'lost', since: Date.now(), retryAt: Date.now() + 1000 };
		flushSync();
		expect(card('Lower thirds')?.querySelector('.onair')).toBeNull();
		expect(card('Lower thirds')?.textContent).toContain('UNKNOWN');
	});

	test('what nobody draws says so under its name, not in its place', () => {
		show({
			graphics: thirds({
				problem: 'nothing draws it: open the overlay page',
				onAir: { ...third('a', 'Ada'), since: new Date().toISOString(), confirmed: false },
			}),
		});
		expect(card('Lower thirds')?.querySelector('.air')?.textContent).not.toContain('Nothing draws it');
		expect(card('Lower thirds')?.querySelector('.why')?.textContent).toBe('Nothing draws it: open the overlay page.');
	});

	test('a name is edited where it stands', async () => {
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

	test('a viewer prepares and takes nothing', () => {
		show({}, 'viewer');
		press('g', 'KeyG');
		press('1', 'Digit1');
		press('n', 'KeyN');
		expect(send).not.toHaveBeenCalled();
		expect(button(/^Ada: edit/)).toBeUndefined();
		expect(button(/^Ada: bring on air/)?.disabled).toBe(true);
	});

	test('an empty list says what to do', () => {
		show({ graphics: thirds({ items: [] }) });
		expect(text()).toContain('Nobody is prepared yet');
	});
});

describe('the mixer’s desk', () => {
	test('what a mixer can’t do is not there', () => {
		expect([card('Sound'), card('Clips'), card('Mixer')]).toEqual([null, null, null]);
		expect(document.querySelector('.lever, .how')).toBeNull();
	});

	test('sound: a fader for each input, levels while it is looked at', () => {
		show({ mixer: obs({ audio: [{ name: 'Mic', muted: false, db: -6.2 }] }) });
		expect(send).toHaveBeenLastCalledWith('audio.meters', { on: true }, 'Show the levels', true);
		expect(card('Sound')?.textContent).toContain('−6.2 dB');
		button(/^Mic: on/)?.click();
		expect(send).toHaveBeenLastCalledWith('audio.mute', { input: 'Mic', muted: true }, 'Mute Mic');
		const fader = card('Sound')!.querySelector<HTMLInputElement>('input')!;
		fader.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true, cancelable: true }));
		expect(send).toHaveBeenLastCalledWith(
			'audio.volume',
			{ input: 'Mic', db: -5, moving: false },
			'Fader of Mic',
			false,
		);
		show();
		expect(send).toHaveBeenLastCalledWith('audio.meters', { on: false }, 'Show no levels', true);
	});

	test('the players of our own feeds are no clips', () => {
		show({ mixer: obs({ media: [{ name: 'cam1 feed [obvan]', state: 'playing', cursorMs: 0, lengthMs: 0 }] }) });
		expect(card('Clips')).toBeNull();
		show({ mixer: obs({ media: [{ name: 'Opener', state: 'ended', cursorMs: 4000, lengthMs: 4000 }] }) });
		expect(card('Clips')?.textContent).toContain('ENDED');
		button(/^Opener: Restart/)?.click();
		expect(send).toHaveBeenLastCalledWith('media.restart', { input: 'Opener' }, 'Restart: Opener');
	});

	test('stopping OBS’ own stream asks first', () => {
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
		expect(send).toHaveBeenLastCalledWith('output.stop', { output: 'stream' }, 'Stop: OBS’ stream');
		button(/^Start: Recording/)?.click();
		expect(send).toHaveBeenLastCalledWith('output.start', { output: 'record' }, 'Start: Recording');
	});

	test('a set-up is looked at before it is done', async () => {
		send.mockResolvedValue({
			ok: true,
			result: { done: false, steps: ['Make the scene “Bench”.'], notes: ['It streams already.'] },
		} as never);
		show({ mixer: obs(), obs: { available: true, canUndo: true } });
		button(/^Set up…/)?.click();
		await vi.advanceTimersByTimeAsync(1);
		flushSync();
		expect(send).toHaveBeenLastCalledWith(
			'obs.provision',
			{ preview: true, remove: [], videoKbps: undefined },
			'Look at what would be set up',
			true,
		);
		expect(text()).toContain('Make the scene “Bench”.');
		expect(text()).toContain('It streams already.');
		button(/^Set up$/)?.click();
		expect(send).toHaveBeenLastCalledWith(
			'obs.provision',
			{ preview: false, remove: [], videoKbps: undefined },
			'Set OBS up',
			true,
		);
	});
});

describe('the program’s ladder', () => {
	const program = {
		...empty.program,
		level: 'backup',
		onAir: 'cam2',
		target: 'mixer',
		reason: 'OBS sends no pictures',
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

	test('says which rung is on air and why, and any can be forced', () => {
		show({ program, feeds });
		const ladder = card('What the program follows');
		expect([...ladder!.querySelectorAll('li')].map((li) => li.textContent?.replace(/\s+/g, ' ').trim())).toEqual([
			'Mixer Force',
			'CAM2 ON AIR Force',
			'CAM1 Force',
			'The last picture, held Force',
		]);
		expect(ladder?.textContent).toContain('OBS sends no pictures.');
		button(/^CAM1: force/)?.click();
		expect(send).toHaveBeenLastCalledWith('program.lock', { level: 'cam1' }, 'Force CAM1');
		show({ program: { ...program, locked: 'cam1' }, feeds });
		button(/^Automatic/)?.click();
		expect(send).toHaveBeenLastCalledWith('program.lock', { level: '' }, 'Let the program choose');
	});

	test('the backups are put in order', () => {
		show({ program, feeds });
		button(/^Backups…/)?.click();
		flushSync();
		[...document.querySelectorAll<HTMLButtonElement>('dialog [aria-label=Down]')][0]?.click();
		expect(send).toHaveBeenLastCalledWith('program.backups', { feeds: ['cam1', 'cam2'] }, 'Choose the backups');
	});
});

import { flushSync, mount, unmount, type Component } from 'svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SelfTestReport, Feed, Role, State } from '../api/protocol.gen';
import { studio } from '../api/studio.svelte';
import { empty } from '../api/types';
import { other } from '../api/presets';
import ClipsDialog from './clips/ClipsDialog.svelte';
import DestinationDialog from './destinations/DestinationDialog.svelte';
import SelfTestDialog from './destinations/SelfTestDialog.svelte';
import CameraSettingsDialog from './cameras/CameraSettingsDialog.svelte';
import MixerCard from './mixer/MixerCard.svelte';

let shown: object | undefined;
let send: ReturnType<typeof vi.spyOn>;

function show(what: Component<{ onclose: () => void }> | null, change: Partial<State> = {}, role: Role = 'admin') {
	studio.state = { ...empty, ...change };
	studio.you = { name: 'Anna', role };
	studio.connection = { state: 'up', since: 0 };
	if (what) shown = mount(what, { target: document.body, props: { onclose: () => {} } });
	flushSync();
}

const button = (name: RegExp) =>
	[...document.querySelectorAll('button')].find((b) => name.test(b.getAttribute('aria-label') ?? b.textContent ?? ''));
const text = () => (document.body.textContent ?? '').replace(/\s+/g, ' ');

beforeEach(() => void (send = vi.spyOn(studio, 'send').mockResolvedValue({ ok: true, result: null } as never)));
afterEach(() => {
	if (shown) void unmount(shown);
	shown = undefined;
});

const report: SelfTestReport = {
	at: '2026-05-01T18:00:00Z',
	seconds: 20,
	frames: 500,
	ok: false,
	summary: 'the self-test failed: silent was live',
	healthy: [{ name: 'healthy-1', missedFrames: 0, p99Ms: 14, aloneMs: 12, ok: true, summary: 'missed nothing' }],
	faulty: [
		{
			kind: 'refuse',
			states: ['connecting', 'refused'],
			attempt: 1,
			framesDropped: 0,
			reason: 'no key is good enough',
			ok: true,
			summary: 'reported as expected',
		},
		{
			kind: 'silent',
			states: ['live'],
			attempt: 3,
			framesDropped: 7,
			reason: '',
			ok: false,
			summary: 'was live: live',
		},
	],
};

test('the self-test runs, counts down and shows its report', () => {
	show(SelfTestDialog);
	button(/^Run the test/)?.click();
	expect(send).toHaveBeenLastCalledWith('selftest.run', { seconds: 20 }, 'Run the self-test', true);
	show(null, { selfTest: { running: true, until: new Date(studio.now + 14_000).toISOString() } });
	expect(text()).toContain('Running: 14 s left');
	expect(button(/^Run the test/)?.disabled).toBe(true);
	show(null, { selfTest: { running: false, report } });
	expect(text()).toContain('FAILED');
	const rows = [...document.querySelectorAll('tbody tr')].map((tr) =>
		[...tr.querySelectorAll('td')].map((td) => td.textContent?.trim()).join(' | '),
	);
	expect(rows).toEqual([
		'healthy-1 | 0 | 12 ms | 14 ms | unaffected',
		'Refuses the key | connectingrefused | No key is good enough. | correct',
		'Never answers | live | Was live: live. 3 attempts, 7 frames dropped | WRONG',
	]);
});

test('a clip becomes the slate: a feed plays it as the last backup', async () => {
	send.mockResolvedValueOnce({
		ok: true,
		result: { clips: [{ name: 'pause', bytes: 48_000, changed: new Date().toISOString() }] },
	} as never);
	show(ClipsDialog, { program: { ...empty.program, level: 'mixer', backups: ['cam1'] } });
	await vi.waitFor(() => expect(button(/^Use as slate/)).toBeDefined());
	send.mockResolvedValueOnce({ ok: true, result: { id: 'pause' } } as never);
	button(/^Use as slate/)?.click();
	await vi.waitFor(() =>
		expect(send).toHaveBeenLastCalledWith('program.backups', { feeds: ['cam1', 'pause'] }, 'Slate pause', true),
	);
	expect(send).toHaveBeenCalledWith(
		'feed.add',
		{ id: 'pause', name: 'Pause', url: 'clip://pause' },
		'Play pause',
		true,
	);
	const feed = { ...({} as Feed), id: 'pause', name: 'Pause', url: 'clip://pause' };
	show(null, { feeds: [feed], program: { ...empty.program, level: 'mixer', backups: ['cam1', 'pause'] } });
	expect(text()).toContain('plays as Pause');
	button(/^Slate/)?.click();
	await vi.waitFor(() =>
		expect(send).toHaveBeenLastCalledWith('program.backups', { feeds: ['cam1'] }, 'Slate pause', true),
	);
});

test('uploading a slate before anything is on air warns', () => {
	send.mockResolvedValueOnce({ ok: true, result: { clips: [] } } as never);
	show(ClipsDialog);
	expect(text()).toContain('the size of the program is unknown');
});

test('when OBS refuses the password another one can be entered, and the result is shown', async () => {
	const obs = {
		...empty.mixer,
		kind: 'obs',
		problem: 'OBS refused the password: compare it with the websocket server settings of OBS',
	};
	show(MixerCard as never, { mixer: obs, obs: { available: true, canUndo: false } });
	button(/^Enter the OBS password/)?.click();
	flushSync();
	const input = document.querySelector<HTMLInputElement>('dialog input')!;
	input.value = 'geheim';
	input.dispatchEvent(new Event('input', { bubbles: true }));
	button(/^Connect/)?.click();
	await vi.waitFor(() =>
		expect(send).toHaveBeenLastCalledWith('obs.password', { password: 'geheim' }, 'Set the OBS password', true),
	);
	show(null, { mixer: { ...obs, problem: '', connected: true }, obs: { available: true, canUndo: false } });
	await vi.waitFor(() => expect(text()).toContain('OBS is connected.'));
});

test('the destination form starts with the first platform, and requires its key', () => {
	studio.state = empty;
	studio.you = { name: 'Anna', role: 'director' };
	studio.connection = { state: 'up', since: 0 };
	const presets = [{ id: 'youtube', name: 'YouTube', url: 'rtmps://a.example/live2', hint: 'Here is the key.' }, other];
	shown = mount(DestinationDialog, { target: document.body, props: { presets, onclose: () => {} } });
	flushSync();
	const key = document.querySelector<HTMLInputElement>('input[type=password]')!;
	const platforms = [...document.querySelectorAll<HTMLInputElement>('input[name=platform]')];
	expect(platforms.map((p) => [p.value, p.checked])).toEqual([
		['youtube', true],
		['', false],
	]);
	expect(key.required).toBe(true);
	platforms[1]!.click();
	flushSync();
	expect(key.required).toBe(false);
});

test('a camera that connected without being added is saved with its name', () => {
	studio.state = empty;
	studio.you = { name: 'Anna', role: 'operator' };
	studio.connection = { state: 'up', since: 0 };
	const feed: Feed = {
		id: 'cam1',
		name: 'cam1',
		added: false,
		hasKey: false,
		state: 'live',
		kbps: 0,
		fps: 0,
		keyframeIntervalMs: 0,
		viewers: 0,
		watch: { ok: true },
	};
	shown = mount(CameraSettingsDialog, { target: document.body, props: { feed, onclose: () => {} } });
	flushSync();
	expect(button(/^Remove/)).toBeUndefined();
	button(/^Save/)?.click();
	expect(send).toHaveBeenLastCalledWith('feed.add', { id: 'cam1', name: 'cam1' }, 'Save cam1', true);
});

test('the form says how the path of a WHIP address is stored', async () => {
	const platforms = vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response('[]'));
	show(DestinationDialog);
	await vi.waitFor(() => expect(text()).toContain('Other RTMP server'));
	expect(text()).toContain('Stream key');
	const url = [...document.querySelectorAll('input')].find((i) => i.getAttribute('inputmode') === 'url');
	url!.value = 'https://live.example/whip/a-key';
	url!.dispatchEvent(new Event('input', { bubbles: true }));
	flushSync();
	expect(text()).toContain('shown as ***');
	expect(text()).toContain('Bearer token (leave empty if the address has the key)');
	platforms.mockRestore();
});

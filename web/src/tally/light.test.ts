import { flushSync, mount, unmount } from 'svelte';
import { expect, test } from 'vitest';
import type { Feed, Light, MixerState, ProgramState } from '../api/protocol.gen';
import { studio } from '../api/studio.svelte';
import { empty } from '../api/types';
import { feedFrom, light } from './light';
import Tally from './Tally.svelte';

const cam = (id: string, change: Partial<Feed> = {}): Feed => ({
	id,
	name: id,
	added: true,
	hasKey: true,
	state: 'live',
	kbps: 0,
	fps: 0,
	keyframeIntervalMs: 0,
	viewers: 0,
	watch: { ok: true },
	...change,
});
const state = (
	lit: Record<string, Light>,
	mixer: Partial<MixerState> = {},
	program: Partial<ProgramState> = {},
	live = true,
) => ({
	...empty,
	show: { ...empty.show, live },
	feeds: [cam('cam1'), cam('cam2', { state: 'lost' })],
	mixer: { ...empty.mixer, connected: true, ...mixer },
	program: { ...empty.program, ...program },
	tally: lit,
});

test('program, preview and off each have a label', () => {
	expect(light(state({ cam1: 'program' }), true, 'cam1')).toEqual({ kind: 'program', label: 'ON AIR', message: '' });
	expect(light(state({ cam1: 'program' }, {}, {}, false), true, 'cam1').label).toBe('PROGRAM');
	expect(light(state({ cam1: 'preview' }), true, 'cam1')).toEqual({ kind: 'preview', label: 'PREVIEW', message: '' });
	expect(light(state({}), true, 'cam1')).toEqual({ kind: 'dark', label: 'OFF', message: '' });
});

test('both sides of a transition are on program', () => {
	expect(light(state({ cam1: 'both' }), true, 'cam1').kind).toBe('program');
});

test('without a connection there is no colour', () => {
	expect(light(state({ cam1: 'program' }), false, 'cam1')).toMatchObject({ kind: 'none', label: 'NO DATA' });
});

test('a connection that has gone silent has no colour either', () => {
	history.replaceState(null, '', '/tally/cam1');
	studio.state = state({ cam1: 'program' });
	studio.connection = { state: 'up', since: 0 };
	const page = mount(Tally, { target: document.body, props: { studio } });
	flushSync();
	expect(document.querySelector('main')?.className).toContain('program');
	studio.silentMs = 4000;
	flushSync();
	expect(document.querySelector('main')?.className).toContain('none');
	studio.silentMs = 0;
	void unmount(page);
});

test('without the mixer there is no colour, but a backup on air is on program', () => {
	expect(light(state({ cam1: 'program' }, { connected: false }), true, 'cam1').kind).toBe('none');
	expect(
		light(state({ cam1: 'program' }, { connected: false }, { level: 'backup', onAir: 'cam1' }), true, 'cam1').kind,
	).toBe('program');
});

test('a camera without video has a message', () => {
	expect(light(state({ cam2: 'program' }), true, 'cam2')).toMatchObject({
		kind: 'program',
		message: 'The studio receives no video from this camera.',
	});
	expect(light(state({}), true, 'cam9')).toMatchObject({ kind: 'none', message: 'There is no camera "cam9".' });
});

test('the address selects the camera', () => {
	expect(feedFrom('/tally/cam1')).toBe('cam1');
	expect(feedFrom('/tally/roof%20cam/')).toBe('roof cam');
	expect(feedFrom('/tally')).toBe('');
	expect(feedFrom('/tally/%zz')).toBe('%zz');
});

import { flushSync, mount, unmount } from 'svelte';
import { expect, test } from 'vitest';
import type { Feed, Light, MixerState, ProgramState } from '../api/protocol.gen';
import { studio } from '../api/studio.svelte';
import { empty } from '../api/types';
import { feedIn, light } from './light';
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

test('red, green and dark each have a word', () => {
	expect(light(state({ cam1: 'program' }), true, 'cam1')).toEqual({ kind: 'program', word: 'ON AIR', line: '' });
	expect(light(state({ cam1: 'program' }, {}, {}, false), true, 'cam1').word).toBe('PROGRAM');
	expect(light(state({ cam1: 'preview' }), true, 'cam1')).toEqual({ kind: 'preview', word: 'PREVIEW', line: '' });
	expect(light(state({}), true, 'cam1')).toEqual({ kind: 'dark', word: 'OFF', line: '' });
});

test('both sides of a transition are red', () => {
	expect(light(state({ cam1: 'both' }), true, 'cam1').kind).toBe('program');
});

test('without a link there is no colour, whatever was last', () => {
	expect(light(state({ cam1: 'program' }), false, 'cam1')).toMatchObject({ kind: 'none', word: 'NO DATA' });
});

test('a link that says nothing any more has no colour either', () => {
	history.replaceState(null, '', '/tally/cam1');
	studio.state = state({ cam1: 'program' });
	studio.link = { state: 'up', since: 0 };
	const page = mount(Tally, { target: document.body, props: { studio } });
	flushSync();
	expect(document.querySelector('main')?.className).toContain('program');
	studio.silent = 4000;
	flushSync();
	expect(document.querySelector('main')?.className).toContain('none');
	studio.silent = 0;
	void unmount(page);
});

test('a mixer that is away says nothing of the cameras, but a backup on air is red', () => {
	expect(light(state({ cam1: 'program' }, { connected: false }), true, 'cam1').kind).toBe('none');
	expect(
		light(state({ cam1: 'program' }, { connected: false }, { level: 'backup', onAir: 'cam1' }), true, 'cam1').kind,
	).toBe('program');
});

test('a camera that sends nothing is told so', () => {
	expect(light(state({ cam2: 'program' }), true, 'cam2')).toMatchObject({
		kind: 'program',
		line: 'The studio gets no picture from this camera.',
	});
	expect(light(state({}), true, 'cam9')).toMatchObject({ kind: 'none', line: 'The studio knows no camera “cam9”.' });
});

test('the address says whose light it is', () => {
	expect(feedIn('/tally/cam1')).toBe('cam1');
	expect(feedIn('/tally/roof%20cam/')).toBe('roof cam');
	expect(feedIn('/tally')).toBe('');
	expect(feedIn('/tally/%zz')).toBe('%zz');
});

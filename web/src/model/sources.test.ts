import { describe, expect, test } from 'vitest';
import { addresses, idFrom } from './addresses';
import { feedOf, mixerNotSending, sourceItems, playsFeed, title, transitions } from './sources';
import { busView } from './views';
import type { Feed, MixerState, State } from '../api/protocol.gen';
import { empty } from '../api/types';

const f = (id: string, name: string): Feed => ({
	id,
	name,
	added: true,
	hasKey: true,
	state: 'live',
	kbps: 0,
	fps: 0,
	keyframeIntervalMs: 0,
	viewers: 0,
	watch: { ok: true },
});
const s = (mixer: Partial<MixerState>, rest: Partial<State> = {}): State => ({
	...empty,
	feeds: [f('cam1', 'Bench'), f('cam2', 'Crane')],
	mixer: { ...empty.mixer, ...mixer },
	...rest,
});

describe('the sources of the panel', () => {
	test('sources are in the order of the mixer, with their feeds', () => {
		const list = sourceItems(
			s({
				sources: [
					{ name: 'cam2', feeds: ['cam2'] },
					{ name: 'cam1', feeds: ['cam1'] },
				],
				program: 'cam2',
				preview: 'cam1',
			}),
		);
		expect(list.map((p) => [p.source, p.title, p.bus])).toEqual([
			['cam2', 'Crane', 'program'],
			['cam1', 'Bench', 'preview'],
		]);
	});

	test('a scene keeps its own name and counts its further feeds', () => {
		const [scene] = sourceItems(s({ sources: [{ name: 'Two shot', feeds: ['cam2', 'cam1'] }] }));
		expect(scene).toMatchObject({ title: 'Two shot', others: 1, feed: { id: 'cam2' } });
	});

	test('a feed in no source is last and has no source name', () => {
		const list = sourceItems(s({ sources: [{ name: 'cam2', feeds: ['cam2'] }] }, { tally: { cam1: 'program' } }));
		expect(list[1]).toMatchObject({ source: '', title: 'Bench', bus: 'program' });
	});

	test('both sides of a transition are on program', () => {
		const list = sourceItems(
			s(
				{
					sources: [
						{ name: 'cam1', feeds: ['cam1'] },
						{ name: 'cam2', feeds: ['cam2'] },
					],
					program: 'cam1',
					preview: 'cam2',
					inTransition: true,
				},
				{ tally: { cam1: 'program', cam2: 'both' } },
			),
		);
		expect(list.map((p) => p.bus)).toEqual(['program', 'both']);
	});

	test('a scene that also has the camera is not on air in a transition', () => {
		const list = sourceItems(
			s(
				{
					sources: [
						{ name: 'cam1', feeds: ['cam1'] },
						{ name: 'cam2', feeds: ['cam2'] },
						{ name: 'Two shot', feeds: ['cam1', 'cam2'] },
					],
					program: 'cam1',
					preview: 'cam2',
					inTransition: true,
				},
				{ tally: { cam1: 'program', cam2: 'both' } },
			),
		);
		expect(list.map((p) => p.bus)).toEqual(['program', 'both', '']);
	});

	test('scenes that the studio created in OBS have the name of their camera', () => {
		const state = s({
			sources: [
				{ name: 'cam1 [obvan]', feeds: ['cam1'] },
				{ name: '2-up [obvan]', feeds: ['cam1', 'cam2'] },
			],
		});
		expect(
			sourceItems(state)
				.slice(0, 2)
				.map((p) => p.title),
		).toEqual(['Bench', '2-up']);
		expect(title(state, 'cam2 feed [obvan]')).toBe('Crane');
		expect([playsFeed('cam2 feed [obvan]'), playsFeed('Opener')]).toEqual([true, false]);
	});

	test('a backup on air is on program too', () => {
		const list = sourceItems(
			s(
				{
					sources: [
						{ name: 'cam1', feeds: ['cam1'] },
						{ name: 'cam2', feeds: ['cam2'] },
					],
					program: 'cam1',
				},
				{ tally: { cam1: 'program', cam2: 'program' }, program: { ...empty.program, level: 'backup', onAir: 'cam2' } },
			),
		);
		expect(list.map((p) => p.bus)).toEqual(['program', 'program']);
	});

	test('a mixer without sources shows the feeds', () => {
		expect(sourceItems(s({ sources: null as never })).map((p) => p.title)).toEqual(['Bench', 'Crane']);
	});

	test('titles and feeds are found by source', () => {
		const state = s({ sources: [{ name: 'Two shot', feeds: ['cam2'] }, { name: 'Titles' }] });
		expect([title(state, 'cam1'), title(state, 'unknown')]).toEqual(['Bench', 'unknown']);
		expect([feedOf(state, 'Two shot')?.id, feedOf(state, 'Titles'), feedOf(state, '')]).toEqual(['cam2', null, null]);
	});

	test('a mixer that only cuts offers no transitions', () => {
		expect(transitions(s({}))).toEqual([]);
		expect(transitions(s({ transitions: ['Cut'] }))).toEqual([]);
		expect(transitions(s({ transitions: ['Cut', 'Fade'] }))).toEqual(['Cut', 'Fade']);
	});
});

test('a camera in a removed scene that is still on air stays on program', () => {
	const on = s(
		{
			program: '',
			sources: [
				{ name: 'cam1', feeds: ['cam1'] },
				{ name: 'both', feeds: ['cam1', 'cam2'] },
			],
			onAir: ['cam1'],
		},
		{ tally: { cam1: 'program' }, program: { ...empty.program, level: 'mixer', onAir: 'mixer' } },
	);
	expect(sourceItems(on).map((p) => p.bus)).toEqual(['program', '']);
	expect(busView(on, 'program', 0)).toMatchObject({ title: 'Removed scene', bus: 'program' });
});

describe('a mixer that sends nothing', () => {
	const off = { name: 'stream', state: 'off' } as const;
	const frozen = { program: { ...empty.program, target: 'mixer', level: 'freeze' } } as const;
	test('is OBS that is not connected or does not stream', () => {
		expect(mixerNotSending(s({ kind: 'obs', connected: false }, frozen))).toBe('OBS is not connected');
		expect(mixerNotSending(s({ kind: 'obs', connected: true, outputs: [off] }, frozen))).toContain('not streaming');
		expect(
			mixerNotSending(
				s({ kind: 'obs', connected: true, outputs: [{ name: 'stream', state: 'reconnecting' }] }, frozen),
			),
		).toContain('restarted automatically');
		expect(
			mixerNotSending(s({ kind: 'obs', connected: true, outputs: [{ name: 'stream', state: 'on' }] }, frozen)),
		).toBe('');
	});
	test('is not reported while it is on air or not used', () => {
		expect(
			mixerNotSending(
				s({ kind: 'obs', connected: true, outputs: [off] }, { program: { ...frozen.program, level: 'mixer' } }),
			),
		).toBe('');
		expect(
			mixerNotSending(s({ kind: 'cut', connected: true }, { program: { ...frozen.program, target: 'cam1' } })),
		).toBe('');
	});
});

describe('the addresses for devices', () => {
	test('have the host, the ports and the key', () => {
		const a = addresses('cam1', 'k&y', 'studio.lan', { rtmpPort: 1935, rtspPort: 8554 });
		expect(a).toMatchObject({
			server: 'rtmp://studio.lan/live',
			streamKey: 'cam1?key=k%26y',
			rtsp: 'rtsp://studio.lan:8554/cam1?key=k%26y',
			local: false,
		});
	});
	test('an IPv6 host has brackets, an unusual port is shown, and localhost is marked as local', () => {
		expect(addresses('cam1', '', '::1', { rtmpPort: 2935, rtspPort: 8554 })).toMatchObject({
			rtmp: 'rtmp://[::1]:2935/live/cam1',
			local: true,
		});
	});
});

test('an id is made from any name, and is never used twice', () => {
	expect(idFrom('Goal camera', [])).toBe('goal-camera');
	expect(idFrom('Kamera Ömer', ['cam'])).toBe('kamera-omer');
	expect(idFrom('  ...', [])).toBe('cam');
	expect(idFrom('彩', ['cam'])).toBe('cam-2');
	expect(idFrom('Program', [])).toBe('program-2');
	expect(idFrom('x'.repeat(200), []).length).toBeLessThanOrEqual(64);
});

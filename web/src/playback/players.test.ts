import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { players, transportFor, unavailableReason } from './players.svelte';

const log = vi.hoisted(() => [] as string[]);
vi.mock('./whep', () => ({
	off: { state: 'off', reason: '', media: null, hasAudio: false },
	WhepPlayer: class {
		constructor(public url: string) {}
		start = () => log.push(`start ${this.url}`);
		stop = () => log.push(`stop ${this.url}`);
	},
}));

beforeEach(() => {
	vi.useFakeTimers();
	log.length = 0;
});
afterEach(() => vi.useRealTimers());

test('two places that show a stream share one connection, and only the first plays its audio', () => {
	const [tile, monitor] = [Symbol(), Symbol()];
	const a = players.join('cam1', tile);
	const b = players.join('cam1', monitor);
	expect(log).toEqual(['start /whep/cam1']);
	expect(a.player).toBe(b.player);
	expect([a.player.isHeard(tile), a.player.isHeard(monitor)]).toEqual([true, false]);
	a.leave();
	expect(b.player.isHeard(monitor)).toBe(true);
	b.leave();
	vi.advanceTimersByTime(10_000);
	expect(log).toEqual(['start /whep/cam1', 'stop /whep/cam1']);
});

test('a stream that is shown again soon keeps its connection', () => {
	const user = Symbol();
	players.join('cam 2', user).leave();
	vi.advanceTimersByTime(1000);
	const again = players.join('cam 2', user);
	vi.advanceTimersByTime(10_000);
	expect(log).toEqual(['start /whep/cam%202']);
	again.leave();
	vi.advanceTimersByTime(10_000);
	players.join('cam 2', user).leave();
	expect(log).toEqual(['start /whep/cam%202', 'stop /whep/cam%202', 'start /whep/cam%202']);
	vi.advanceTimersByTime(10_000);
});

test('keyframes only is a connection of its own', () => {
	const [tile, preview] = [Symbol(), Symbol()];
	const few = players.join('cam 3', tile, 'WebRTC', true);
	const all = players.join('cam 3', preview);
	expect(log).toEqual(['start /whep/cam%203?video=keyframes', 'start /whep/cam%203']);
	expect(few.player).not.toBe(all.player);
	few.leave();
	vi.advanceTimersByTime(10_000);
	expect(log.slice(2)).toEqual(['stop /whep/cam%203?video=keyframes']);
	all.leave();
	vi.advanceTimersByTime(10_000);
});

test('each stream uses the best transport that this page has', () => {
	expect(transportFor({ ok: true, webCodecs: true }, true)).toBe('WebRTC');
	expect(transportFor({ ok: true, webCodecs: true, reduced: true }, true)).toBe('WebCodecs');
	expect(transportFor({ ok: true, webCodecs: true, reduced: true }, false)).toBe('WebRTC');
	expect(transportFor({ ok: false, webCodecs: true }, true)).toBe('WebCodecs');
	expect(transportFor({ ok: false, webCodecs: true }, false)).toBe('');
	expect(transportFor({ ok: false }, true)).toBe('');
	expect(transportFor({ ok: true, webCodecs: true, reduced: true }, true, true)).toBe('WebRTC'); // keyframes are not reduced
	expect(transportFor({ ok: false, webCodecs: true }, true, true)).toBe('WebCodecs');
	expect(unavailableReason({ ok: false, reason: 'It has B-frames.', webCodecs: true }, false)).toBe(
		'It has B-frames. Over https, Chrome and Edge can show it.',
	);
	expect(unavailableReason({ ok: false, reason: 'There is no video.' }, true)).toBe('There is no video.');
});

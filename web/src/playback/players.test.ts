import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pictures, wayOf, whyNot } from './players.svelte';

const log = vi.hoisted(() => [] as string[]);
vi.mock('./whep', () => ({
	off: { state: 'off', why: '', media: null, sound: false },
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

test('two places that show a stream share one connection, and only the first is heard', () => {
	const [tile, monitor] = [Symbol(), Symbol()];
	const a = pictures.show('cam1', tile);
	const b = pictures.show('cam1', monitor);
	expect(log).toEqual(['start /whep/cam1']);
	expect(a.picture).toBe(b.picture);
	expect([a.picture.sounds(tile), a.picture.sounds(monitor)]).toEqual([true, false]);
	a.leave();
	expect(b.picture.sounds(monitor)).toBe(true);
	b.leave();
	vi.advanceTimersByTime(10_000);
	expect(log).toEqual(['start /whep/cam1', 'stop /whep/cam1']);
});

test('a picture that is wanted again soon was never dropped', () => {
	const user = Symbol();
	pictures.show('cam 2', user).leave();
	vi.advanceTimersByTime(1000);
	const again = pictures.show('cam 2', user);
	vi.advanceTimersByTime(10_000);
	expect(log).toEqual(['start /whep/cam%202']);
	again.leave();
	vi.advanceTimersByTime(10_000);
	pictures.show('cam 2', user).leave();
	expect(log).toEqual(['start /whep/cam%202', 'stop /whep/cam%202', 'start /whep/cam%202']);
	vi.advanceTimersByTime(10_000);
});

test('who wants key pictures only has a connection of their own', () => {
	const [tile, preview] = [Symbol(), Symbol()];
	const few = pictures.show('cam 3', tile, 'WebRTC', true);
	const all = pictures.show('cam 3', preview);
	expect(log).toEqual(['start /whep/cam%203?video=keyframes', 'start /whep/cam%203']);
	expect(few.picture).not.toBe(all.picture);
	few.leave();
	vi.advanceTimersByTime(10_000);
	expect(log.slice(2)).toEqual(['stop /whep/cam%203?video=keyframes']);
	all.leave();
	vi.advanceTimersByTime(10_000);
});

test('each stream comes by the best way that this page has', () => {
	expect(wayOf({ ok: true, webCodecs: true }, true)).toBe('WebRTC');
	expect(wayOf({ ok: true, webCodecs: true, reduced: true }, true)).toBe('WebCodecs');
	expect(wayOf({ ok: true, webCodecs: true, reduced: true }, false)).toBe('WebRTC');
	expect(wayOf({ ok: false, webCodecs: true }, true)).toBe('WebCodecs');
	expect(wayOf({ ok: false, webCodecs: true }, false)).toBe('');
	expect(wayOf({ ok: false }, true)).toBe('');
	expect(wayOf({ ok: true, webCodecs: true, reduced: true }, true, true)).toBe('WebRTC'); // its key pictures are whole
	expect(wayOf({ ok: false, webCodecs: true }, true, true)).toBe('WebCodecs');
	expect(whyNot({ ok: false, reason: 'It has B-frames.', webCodecs: true }, false)).toBe(
		'It has B-frames. By https, Chrome and Edge can show it.',
	);
	expect(whyNot({ ok: false, reason: 'There is no picture.' }, true)).toBe('There is no picture.');
});

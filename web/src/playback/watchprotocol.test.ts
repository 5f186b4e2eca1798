import { expect, test } from 'vitest';
import { bytes, Pacer, unit } from './watchprotocol';
import { wayOf, whyNot } from './players.svelte';

function message(flags: number, times: number[], data: number[]): ArrayBuffer {
	const out = new ArrayBuffer(33 + data.length);
	const view = new DataView(out);
	view.setUint8(0, flags);
	times.forEach((t, i) => view.setFloat64(1 + 8 * i, t));
	new Uint8Array(out, 33).set(data);
	return out;
}

test('a unit is read as the server writes it', () => {
	expect(unit(message(5, [40.5, 20, 1000, 1001], [7, 8]))).toEqual({
		key: true,
		sound: false,
		gap: true,
		pts: 40.5,
		dts: 20,
		arrived: 1000,
		sent: 1001,
		data: new Uint8Array([7, 8]),
	});
	expect(unit(message(2, [0, 0, 0, 0], [1]))).toMatchObject({ key: false, sound: true, gap: false });
	expect(unit(new ArrayBuffer(33))).toBeNull();
	expect(bytes('AQID')).toEqual(new Uint8Array([1, 2, 3]));
	expect(bytes()).toBeUndefined();
});

test('pictures are due in step, however unevenly they come', () => {
	const p = new Pacer();
	for (let i = 0; i < 30; i++) p.arrived(-1000 + i * 33, 500); // the burst at the start
	for (let i = 0; i < 90; i++) p.arrived(i * 33, 500 + i * 33 + (i % 3) * 15);
	expect(p.due(66) - p.due(33)).toBeCloseTo(33);
	expect(p.due(0)).toBeGreaterThan(500);
	expect(p.due(0)).toBeLessThan(530);
});

test('what comes late makes the next ones wait, as long as it does', () => {
	const p = new Pacer();
	p.arrived(0, 100);
	const due = p.due(0);
	p.ready(0, due + 400); // of the burst: no measure
	expect(p.due(0)).toBe(due);
	p.ready(33, p.due(33) - 1);
	for (let i = 2; i < 30; i++) p.ready(i * 33, due + i * 33 + 40);
	expect(p.due(0) - due).toBeGreaterThan(38);
	for (let i = 30; i < 4000; i++) p.ready(i * 33, due + i * 33 - 20);
	expect(p.due(0)).toBe(due);
});

test('a stream that begins anew is due anew', () => {
	const p = new Pacer();
	p.arrived(50_000, 60_000);
	p.arrived(0, 61_000);
	expect(p.due(0)).toBeLessThan(61_100);
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

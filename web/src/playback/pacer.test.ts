import { expect, test } from 'vitest';
import { Pacer } from './pacer';

test('frames are due evenly, however unevenly they arrive', () => {
	const p = new Pacer();
	for (let i = 0; i < 30; i++) p.arrived(-1000 + i * 33, 500); // the burst at the start
	for (let i = 0; i < 90; i++) p.arrived(i * 33, 500 + i * 33 + (i % 3) * 15);
	expect(p.due(66) - p.due(33)).toBeCloseTo(33);
	expect(p.due(0)).toBeGreaterThan(500);
	expect(p.due(0)).toBeLessThan(530);
});

test('late frames raise the margin for as long as they are late', () => {
	const p = new Pacer();
	p.arrived(0, 100);
	const due = p.due(0);
	p.ready(0, due + 400); // part of the burst: not measured
	expect(p.due(0)).toBe(due);
	p.ready(33, p.due(33) - 1);
	for (let i = 2; i < 30; i++) p.ready(i * 33, due + i * 33 + 40);
	expect(p.due(0) - due).toBeGreaterThan(38);
	for (let i = 30; i < 4000; i++) p.ready(i * 33, due + i * 33 - 20);
	expect(p.due(0)).toBe(due);
});

test('a stream that restarts gets a new clock', () => {
	const p = new Pacer();
	p.arrived(50_000, 60_000);
	p.arrived(0, 61_000);
	expect(p.due(0)).toBeLessThan(61_100);
});

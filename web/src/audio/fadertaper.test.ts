import { describe, expect, test } from 'vitest';
import { decibels, keyed, level, off, place, top } from './fadertaper';

describe('a fader', () => {
	test('has its ends, and zero in its upper part', () => {
		expect([decibels(0), decibels(0.78), decibels(1)]).toEqual([off, 0, top]);
		expect([decibels(-1), decibels(2)]).toEqual([off, top]);
		expect([place(off), place(0), place(top), place(99)]).toEqual([0, 0.78, 1, 1]);
	});

	test('stands where its level is', () => {
		for (const db of [-100, -60, -33.3, -12.5, -0.1, 0, 3, 26]) expect(decibels(place(db))).toBeCloseTo(db, 1);
	});

	test('goes a decibel a key, and off below the scale', () => {
		expect(keyed(-6.2, 'ArrowUp')).toBe(-5);
		expect(keyed(0, 'PageDown')).toBe(-6);
		expect(keyed(-60, 'ArrowDown')).toBe(off);
		expect(keyed(off, 'ArrowUp')).toBe(-60);
		expect(keyed(25.5, 'PageUp')).toBe(top);
		expect(keyed(-20, 'End')).toBe(0);
		expect(keyed(-20, 'Tab')).toBeNull();
	});

	test('says its level as a desk does', () => {
		expect([level(-100), level(-6.2), level(0), level(3)]).toEqual(['off', '−6.2 dB', '0.0 dB', '+3.0 dB']);
	});
});

import { describe, expect, test } from 'vitest';
import { decibels, levelAfterKey, levelText, off, position, top } from './fadertaper';

describe('a fader', () => {
	test('has its ends, and 0 dB in its upper part', () => {
		expect([decibels(0), decibels(0.78), decibels(1)]).toEqual([off, 0, top]);
		expect([decibels(-1), decibels(2)]).toEqual([off, top]);
		expect([position(off), position(0), position(top), position(99)]).toEqual([0, 0.78, 1, 1]);
	});

	test('is at the position of its level', () => {
		for (const db of [-100, -60, -33.3, -12.5, -0.1, 0, 3, 26]) expect(decibels(position(db))).toBeCloseTo(db, 1);
	});

	test('moves a decibel per key, and off below the scale', () => {
		expect(levelAfterKey(-6.2, 'ArrowUp')).toBe(-5);
		expect(levelAfterKey(0, 'PageDown')).toBe(-6);
		expect(levelAfterKey(-60, 'ArrowDown')).toBe(off);
		expect(levelAfterKey(off, 'ArrowUp')).toBe(-60);
		expect(levelAfterKey(25.5, 'PageUp')).toBe(top);
		expect(levelAfterKey(-20, 'End')).toBe(0);
		expect(levelAfterKey(-20, 'Tab')).toBeNull();
	});

	test('shows its level as an audio mixer does', () => {
		expect([levelText(-100), levelText(-6.2), levelText(0), levelText(3)]).toEqual([
			'off',
			'−6.2 dB',
			'0.0 dB',
			'+3.0 dB',
		]);
	});
});

import { expect, test } from 'vitest';
import { Score } from './audioplayout';

test('pieces of sound follow each other without a gap, though their times jitter', () => {
	const score = new Score();
	const first = score.place(1, 0.02, 0.9)!;
	expect(first).toBe(1);
	for (let n = 1; n < 100; n++)
		expect(score.place(1 + n * 0.02 + (n % 3) * 0.008, 0.02, 0.9 + n * 0.02)).toBeCloseTo(1 + n * 0.02, 9);
});

test('sound whose clock has parted from the sound card’s is put right at once', () => {
	const score = new Score();
	score.place(1, 0.02, 0.9);
	expect(score.place(1.06, 0.02, 0.92)).toBe(1.06);
	expect(score.place(1.08, 0.02, 0.94)).toBeCloseTo(1.08, 9);
});

test('sound that comes late begins now, and what comes far too late is not played', () => {
	const score = new Score();
	expect(score.place(1, 0.02, 1.1)).toBeCloseTo(1.105, 9);
	expect(score.place(1, 0.02, 2)).toBeNull();
});

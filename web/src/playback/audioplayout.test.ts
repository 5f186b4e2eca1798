import { expect, test } from 'vitest';
import { PlayoutSchedule } from './audioplayout';

test('audio blocks follow each other without a gap although their times jitter', () => {
	const schedule = new PlayoutSchedule();
	const first = schedule.place(1, 0.02, 0.9)!;
	expect(first).toBe(1);
	for (let n = 1; n < 100; n++)
		expect(schedule.place(1 + n * 0.02 + (n % 3) * 0.008, 0.02, 0.9 + n * 0.02)).toBeCloseTo(1 + n * 0.02, 9);
});

test('audio that has drifted from the audio clock is corrected at once', () => {
	const schedule = new PlayoutSchedule();
	schedule.place(1, 0.02, 0.9);
	expect(schedule.place(1.06, 0.02, 0.92)).toBe(1.06);
	expect(schedule.place(1.08, 0.02, 0.94)).toBeCloseTo(1.08, 9);
});

test('late audio starts now, and audio that is far too late is dropped', () => {
	const schedule = new PlayoutSchedule();
	expect(schedule.place(1, 0.02, 1.1)).toBeCloseTo(1.105, 9);
	expect(schedule.place(1, 0.02, 2)).toBeNull();
});

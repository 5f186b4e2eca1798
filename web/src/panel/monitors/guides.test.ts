import { expect, test } from 'vitest';
import { action, crop, safe, shapes, text } from './guides';

test('an aspect ratio is cropped from the middle, as large as possible', () => {
	expect(crop({ width: 1920, height: 1080 }, shapes['9:16'])).toEqual({ x: 656.25, y: 0, width: 607.5, height: 1080 });
	expect(crop({ width: 1920, height: 1080 }, shapes['1:1'])).toEqual({ x: 420, y: 0, width: 1080, height: 1080 });
	expect(crop({ width: 1080, height: 1920 }, shapes['4:3'])).toEqual({ x: 0, y: 555, width: 1080, height: 810 });
});

test('the safe area has its margin at each edge', () => {
	expect(safe({ x: 100, y: 0, width: 2000, height: 1000 }, 0.25)).toEqual({ x: 600, y: 250, width: 1000, height: 500 });
	expect([action, text]).toEqual([0.035, 0.05]);
});

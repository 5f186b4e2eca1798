import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Throttle } from './throttle';

describe('a throttle', () => {
	beforeEach(() => void vi.useFakeTimers());
	afterEach(() => void vi.useRealTimers());

	test('sends the newest position, one at a time, and always the last', async () => {
		const sent: [number, boolean][] = [];
		let answer = () => {};
		const throttle = new Throttle<number>((v, done) => (sent.push([v, done]), new Promise<void>((r) => (answer = r))));
		throttle.to(1);
		throttle.to(2);
		throttle.to(3);
		expect(sent).toEqual([[1, false]]);
		answer();
		await vi.advanceTimersByTimeAsync(60);
		expect(sent.at(-1)).toEqual([3, false]);
		throttle.to(4, true);
		expect(throttle.busy).toBe(true);
		answer();
		await vi.advanceTimersByTimeAsync(60);
		answer();
		await vi.advanceTimersByTimeAsync(60);
		expect(sent).toEqual([
			[1, false],
			[3, false],
			[4, true],
		]);
		expect(throttle.busy).toBe(false);
	});
});

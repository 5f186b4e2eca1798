import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Latest } from './throttle';

describe('a lever that is pulled', () => {
	beforeEach(() => void vi.useFakeTimers());
	afterEach(() => void vi.useRealTimers());

	test('sends its newest place, one at a time, and its last in any case', async () => {
		const sent: [number, boolean][] = [];
		let answer = () => {};
		const lever = new Latest<number>((v, done) => (sent.push([v, done]), new Promise<void>((r) => (answer = r))));
		lever.to(1);
		lever.to(2);
		lever.to(3);
		expect(sent).toEqual([[1, false]]);
		answer();
		await vi.advanceTimersByTimeAsync(60);
		expect(sent.at(-1)).toEqual([3, false]);
		lever.to(4, true);
		expect(lever.busy).toBe(true);
		answer();
		await vi.advanceTimersByTimeAsync(60);
		answer();
		await vi.advanceTimersByTimeAsync(60);
		expect(sent).toEqual([
			[1, false],
			[3, false],
			[4, true],
		]);
		expect(lever.busy).toBe(false);
	});
});

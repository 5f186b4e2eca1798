import { expect, test } from 'vitest';
import { newBackoff } from './backoff';

test('waits double up to the longest, and start over after a success', () => {
	const backoff = newBackoff(250, 5000, () => 0.5);
	expect([1, 2, 3, 4, 5, 6, 7].map(() => backoff.next())).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
	backoff.reset();
	expect(backoff.next()).toBe(250);
});

test('waits are spread by a quarter either way', () => {
	expect(newBackoff(1000, 1000, () => 0).next()).toBe(750);
	expect(newBackoff(1000, 1000, () => 1).next()).toBe(1250);
});

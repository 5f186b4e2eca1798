// How long to wait before the next attempt at something that failed.

export type Backoff = ReturnType<typeof newBackoff>;

/** Each wait is twice the one before, up to the longest; spread by a quarter either way,
 * so that pages which lost the server together do not return all at once. reset starts
 * over, after a success. */
export function newBackoff(first: number, longest: number, random = Math.random) {
	let attempts = 0;
	return {
		/** The next wait in milliseconds. */
		next: () => Math.min(longest, first * 2 ** attempts++) * (0.75 + random() / 2),
		reset: () => void (attempts = 0),
	};
}

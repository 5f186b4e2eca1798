// How long to wait before the next attempt at something that failed.

/** Each wait is twice the one before, up to the longest; spread by a quarter either way,
 * so that pages which lost the server together do not come back all at once. */
export class Backoff {
	#first: number;
	#longest: number;
	#random: () => number;
	#attempts = 0;

	constructor(first: number, longest: number, random = Math.random) {
		this.#first = first;
		this.#longest = longest;
		this.#random = random;
	}

	/** The next wait in milliseconds. */
	next(): number {
		return Math.min(this.#longest, this.#first * 2 ** this.#attempts++) * (0.75 + this.#random() / 2);
	}

	/** It worked: the next failure starts with the first wait again. */
	reset() {
		this.#attempts = 0;
	}
}

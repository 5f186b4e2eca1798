// Sends what a lever or fader says while it is pulled: the newest position only, one at
// a time, so that a slow mixer is never behind by a queue of old ones.

export class Latest<T> {
	#send: (value: T, done: boolean) => Promise<unknown>;
	#pause: number;
	#next: { value: T; done: boolean } | null = null;
	#busy = false;

	/** send tells the server; done is the last of a pull. */
	constructor(send: (value: T, done: boolean) => Promise<unknown>, pause = 50) {
		this.#send = send;
		this.#pause = pause;
	}

	/** Whether something is still to be sent or answered. */
	get busy(): boolean {
		return this.#busy;
	}

	to(value: T, done = false) {
		this.#next = { value, done };
		if (!this.#busy) void this.#go();
	}

	async #go() {
		this.#busy = true;
		while (this.#next) {
			const { value, done } = this.#next;
			this.#next = null;
			await this.#send(value, done);
			if (!done) await new Promise((r) => setTimeout(r, this.#pause));
		}
		this.#busy = false;
	}
}

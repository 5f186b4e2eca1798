// Sends the position of a fader or T-bar while it is moved: only the newest, one at a
// time, so that a slow mixer is never behind a queue of old positions.

export class Throttle<T> {
	#send: (value: T, done: boolean) => Promise<unknown>;
	#pause: number;
	#next: { value: T; done: boolean } | null = null;
	#busy = false;

	/** send sends a position; done marks the last one of a movement. */
	constructor(send: (value: T, done: boolean) => Promise<unknown>, pause = 50) {
		this.#send = send;
		this.#pause = pause;
	}

	/** Whether a position is waiting to be sent or answered. */
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

// Loudness by EBU R 128 (ITU-R BS.1770): momentary over 400 ms, short-term over 3 s,
// integrated with its two gates since the start. Its input is K-weighted.

export interface Loudness {
	momentary: number; // LUFS; -Infinity for silence
	shortTerm: number;
	integrated: number;
}

/** The two filters of the K-weighting at 48 kHz, feedforward and feedback. */
export const kWeighting: [number[], number[]][] = [
	[
		[1.53512485958697, -2.69169618940638, 1.19839281085285],
		[1, -1.69065929318241, 0.73248077421585],
	],
	[
		[1, -2, 1],
		[1, -1.99004745483398, 0.99007225036621],
	],
];

const step = 4800; // samples in a block of 100 ms
const lufs = (power: number) => -0.691 + 10 * Math.log10(power);
const absoluteGate = -70;
const relativeGate = -10;
const bin = 10; // bins per LU, so that a day of audio takes no more memory than a minute

export class LoudnessMeter {
	#blocks: number[] = []; // mean squares of the last 3 s, the channels added up
	#sum = 0;
	#count = 0;
	#windows = new Map<number, { count: number; power: number }>(); // windows of 400 ms, by loudness

	/** Takes samples of the same span from each channel. */
	feed(channels: Float32Array[]) {
		const length = channels[0]?.length ?? 0;
		for (let i = 0; i < length; i++) {
			for (const c of channels) this.#sum += (c[i] ?? 0) ** 2;
			if (++this.#count === step) this.#block();
		}
	}

	#block() {
		this.#blocks.push(this.#sum / step);
		if (this.#blocks.length > 30) this.#blocks.shift();
		this.#sum = this.#count = 0;
		const power = this.#mean(4);
		if (this.#blocks.length < 4 || lufs(power) < absoluteGate) return;
		const at = Math.round(lufs(power) * bin);
		const there = this.#windows.get(at) ?? { count: 0, power: 0 };
		this.#windows.set(at, { count: there.count + 1, power: there.power + power });
	}

	#mean(blocks: number): number {
		const last = this.#blocks.slice(-blocks);
		return last.reduce((a, b) => a + b, 0) / Math.max(1, last.length);
	}

	#integrated(): number {
		const over = (gate: number) => {
			let [count, power] = [0, 0];
			for (const [at, w] of this.#windows) {
				if (at / bin >= gate) [count, power] = [count + w.count, power + w.power];
			}
			return count === 0 ? -Infinity : lufs(power / count);
		};
		return over(over(absoluteGate) + relativeGate);
	}

	get now(): Loudness {
		return { momentary: lufs(this.#mean(4)), shortTerm: lufs(this.#mean(30)), integrated: this.#integrated() };
	}
}

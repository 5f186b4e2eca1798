// When decoded frames are shown.

/**
 * When frames are due on the page's clock. A frame is decoded at its decode time at the
 * earliest, and shown at its presentation time: the time between is the cost of B-frames.
 * The least delayed unit gives the difference of the clocks; the margin is for the jitter
 * of the others, and grows only as far as they need it.
 */
export class Pacer {
	#base: number | null = null; // arrival minus decode time, of the least delayed unit
	#margin = minMargin;
	#last = 0;
	#inBurst = true; // the burst at the start is always late

	/** A burst follows: everything since the last keyframe. */
	restart() {
		this.#inBurst = true;
	}

	/** A unit arrived at now. */
	arrived(dts: number, now: number) {
		const base = now - dts;
		if (this.#base === null || base < this.#base || base - this.#base > jump) this.#base = base;
		else this.#base += Math.min(base - this.#base, (now - this.#last) * drift); // clocks drift apart
		this.#last = now;
	}

	/** When the unit with this presentation time is due. */
	due(pts: number): number {
		return (this.#base ?? 0) + pts + this.#margin;
	}

	/** A frame was decoded at now. If it was late the margin grows. */
	ready(pts: number, now: number) {
		const late = now - this.due(pts);
		this.#inBurst = this.#inBurst && late > 0;
		if (this.#inBurst) return;
		if (late > 0 && late < maxMargin) this.#margin = Math.min(maxMargin, this.#margin + late + headroom);
		else this.#margin = Math.max(minMargin, this.#margin - shrink);
	}
}

const minMargin = 20;
const maxMargin = 250;
const shrink = 0.03; // per frame
const headroom = 4; // or the next frame would be late too
const jump = 2000; // the stream restarted, or a clock jumped
const drift = 0.0005;

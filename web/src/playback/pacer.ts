// When decoded frames are shown.

/**
 * When pictures are due on the page's clock. A picture can be decoded at its decode
 * time at the earliest, and is shown at its time to be shown: the time between is what
 * B-frames cost. The least delayed unit says how the clocks compare; margin is for the
 * delays of the others, and grows only as far as they need it.
 */
export class Pacer {
	#base: number | null = null; // arrival minus decode time, of the least delayed unit
	#margin = minMargin;
	#last = 0;
	#behind = true; // the burst at the start is late by its nature

	/** What comes next is a burst: all since a key picture. */
	restart() {
		this.#behind = true;
	}

	/** A unit came at now. */
	arrived(dts: number, now: number) {
		const base = now - dts;
		if (this.#base === null || base < this.#base || base - this.#base > jump) this.#base = base;
		else this.#base += Math.min(base - this.#base, (now - this.#last) * drift); // clocks drift apart
		this.#last = now;
	}

	/** When the unit to be shown at pts is due. */
	due(pts: number): number {
		return (this.#base ?? 0) + pts + this.#margin;
	}

	/** A picture was ready at now. One that was late asks for a larger margin. */
	ready(pts: number, now: number) {
		const late = now - this.due(pts);
		this.#behind = this.#behind && late > 0;
		if (this.#behind) return;
		if (late > 0 && late < maxMargin) this.#margin = Math.min(maxMargin, this.#margin + late + headroom);
		else this.#margin = Math.max(minMargin, this.#margin - shrink);
	}
}

const minMargin = 20;
const maxMargin = 250;
const shrink = 0.03; // a picture
const headroom = 4; // else the next one is late, too
const jump = 2000; // the stream began anew, or a clock jumped
const drift = 0.0005;

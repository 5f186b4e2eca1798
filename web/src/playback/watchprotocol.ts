// The messages of /watch/<stream> (monitor/frames in the server): how a stream is
// coded, then its coded pictures and sound.

export interface Decoder {
	codec: string;
	description?: string; // base64
	width?: number;
	height?: number;
	sampleRate?: number;
	channels?: number;
}

export interface CodecInfo {
	video?: Decoder;
	audio?: Decoder;
}

/** One coded picture or piece of sound. Times are in milliseconds. */
export interface Unit {
	key: boolean;
	sound: boolean;
	gap: boolean; // units before it were left out
	pts: number;
	dts: number;
	arrived: number; // at the server, on its clock
	sent: number;
	data: Uint8Array;
}

const headerSize = 33;

export function unit(message: ArrayBuffer): Unit | null {
	if (message.byteLength <= headerSize) return null;
	const view = new DataView(message);
	const flags = view.getUint8(0);
	return {
		key: (flags & 1) !== 0,
		sound: (flags & 2) !== 0,
		gap: (flags & 4) !== 0,
		pts: view.getFloat64(1),
		dts: view.getFloat64(9),
		arrived: view.getFloat64(17),
		sent: view.getFloat64(25),
		data: new Uint8Array(message, headerSize),
	};
}

export function bytes(base64?: string): Uint8Array<ArrayBuffer> | undefined {
	if (!base64) return undefined;
	const text = atob(base64);
	const out = new Uint8Array(text.length);
	for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
	return out;
}

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

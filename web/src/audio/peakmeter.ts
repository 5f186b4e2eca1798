// Levels as needles: up at once, down slowly, with the highest kept for a moment, as
// on any desk. All in dB below full scale.

export const silence = -100;
const bottom = -60; // of the scale
const fall = 24; // dB a second
const holds = 1500;

/** Where a level stands on the scale, 0 to 1. */
export function place(db: number): number {
	return Math.min(1, Math.max(0, 1 - db / bottom));
}

export class Needle {
	level = silence;
	top = silence; // the highest lately
	#at = 0;
	#topAt = 0;

	/** The newest level, at this time in milliseconds. */
	to(db: number, now: number) {
		const fell = this.level - (fall * (now - this.#at)) / 1000;
		this.level = Math.max(db, fell, silence);
		this.#at = now;
		if (this.level >= this.top || now - this.#topAt > holds) {
			this.top = this.level;
			this.#topAt = now;
		}
	}
}

const zones: [number, string][] = [
	[-20, '#2bb866'],
	[-9, '#e0a21b'],
	[0, '#ef4444'],
];
const dull = '#2a323b';

/** Draws needles beside each other: lying, or standing when the room is higher than wide. */
export function draw(canvas: HTMLCanvasElement, needles: Needle[]) {
	const c = canvas.getContext('2d');
	if (!c) return;
	const scale = devicePixelRatio || 1;
	const [w, h] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
	if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
	const stands = h > w;
	const [length, across] = stands ? [h, w] : [w, h];
	const rect = (from: number, to: number, at: number, wide: number) =>
		stands ? c.fillRect(at, h - to * h, wide, (to - from) * h) : c.fillRect(from * w, at, (to - from) * w, wide);
	c.clearRect(0, 0, w, h);
	const wide = Math.max(1, Math.floor((across - (needles.length - 1) * scale) / needles.length));
	needles.forEach((needle, i) => {
		const at = i * (wide + scale);
		c.fillStyle = dull;
		rect(0, 1, at, wide);
		let from = 0;
		for (const [to, colour] of zones) {
			const end = Math.min(place(to), place(needle.level));
			c.fillStyle = colour;
			if (end > from) rect(from, end, at, wide);
			from = place(to);
		}
		if (needle.top > bottom) {
			c.fillStyle = zones.find(([to]) => needle.top <= to)?.[1] ?? '#ef4444';
			rect(Math.max(0, place(needle.top) - (2 * scale) / length), place(needle.top), at, wide);
		}
	});
}

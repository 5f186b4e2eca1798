// Peak meters: up at once, down slowly, with the highest peak held for a moment. All
// levels in dBFS.

export const silence = -100;
const bottom = -60; // of the scale
const decay = 24; // dB per second
const peakHold = 1500; // ms

/** The position of a level on the scale, 0 to 1. */
export function place(db: number): number {
	return Math.min(1, Math.max(0, 1 - db / bottom));
}

export class PeakMeter {
	level = silence;
	peak = silence; // the held peak
	#at = 0;
	#peakAt = 0;

	/** Takes the newest level, at this time in milliseconds. */
	update(db: number, now: number) {
		const fell = this.level - (decay * (now - this.#at)) / 1000;
		this.level = Math.max(db, fell, silence);
		this.#at = now;
		if (this.level >= this.peak || now - this.#peakAt > peakHold) {
			this.peak = this.level;
			this.#peakAt = now;
		}
	}
}

const zones: [number, string][] = [
	[-20, '#2bb866'],
	[-9, '#e0a21b'],
	[0, '#ef4444'],
];
const background = '#2a323b';

/** Draws meters side by side: horizontal, or vertical when the canvas is higher than wide. */
export function draw(canvas: HTMLCanvasElement, meters: PeakMeter[]) {
	const c = canvas.getContext('2d');
	if (!c) return;
	const scale = devicePixelRatio || 1;
	const [w, h] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
	if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
	const vertical = h > w;
	const [length, across] = vertical ? [h, w] : [w, h];
	const rect = (from: number, to: number, at: number, wide: number) =>
		vertical ? c.fillRect(at, h - to * h, wide, (to - from) * h) : c.fillRect(from * w, at, (to - from) * w, wide);
	c.clearRect(0, 0, w, h);
	const wide = Math.max(1, Math.floor((across - (meters.length - 1) * scale) / meters.length));
	meters.forEach((meter, i) => {
		const at = i * (wide + scale);
		c.fillStyle = background;
		rect(0, 1, at, wide);
		let from = 0;
		for (const [to, colour] of zones) {
			const end = Math.min(place(to), place(meter.level));
			c.fillStyle = colour;
			if (end > from) rect(from, end, at, wide);
			from = place(to);
		}
		if (meter.peak > bottom) {
			c.fillStyle = zones.find(([to]) => meter.peak <= to)?.[1] ?? '#ef4444';
			rect(Math.max(0, place(meter.peak) - (2 * scale) / length), place(meter.peak), at, wide);
		}
	});
}

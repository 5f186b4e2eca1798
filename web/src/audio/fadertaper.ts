// The taper of a fader: as on an audio mixer, most of the travel is for working levels.

export const off = -100;
export const top = 26;

const taper: [place: number, db: number][] = [
	[0, off],
	[0.04, -60],
	[0.16, -40],
	[0.38, -20],
	[0.56, -10],
	[0.78, 0],
	[0.9, 10],
	[1, top],
];

function along(table: [number, number][], x: number): number {
	const i = Math.max(
		1,
		table.findIndex(([a]) => a >= x),
	);
	const [[a, b], [c, d]] = [table[i - 1]!, table[i]!];
	return b + ((Math.min(Math.max(x, a), c) - a) / (c - a)) * (d - b);
}

/** The level at a position from 0 to 1, in tenths of a decibel. */
export function decibels(position: number): number {
	return Math.round(along(taper, Math.min(1, Math.max(0, position))) * 10) / 10;
}

/** The position of a fader for a level. */
export function position(db: number): number {
	return along(
		taper.map(([a, b]) => [b, a]),
		Math.min(top, Math.max(off, db)),
	);
}

/** The level as text. */
export function levelText(db: number): string {
	if (db <= off) return 'off';
	return `${db > 0 ? '+' : db < 0 ? '−' : ''}${Math.abs(db).toFixed(1)} dB`;
}

/** The level after a key was pressed; null when a fader does not use that key. */
export function levelAfterKey(db: number, key: string): number | null {
	const step: Record<string, number> = {
		ArrowUp: 1,
		ArrowRight: 1,
		ArrowDown: -1,
		ArrowLeft: -1,
		PageUp: 6,
		PageDown: -6,
	};
	if (key === 'Home') return off;
	if (key === 'End' || key === '0') return 0;
	if (!(key in step)) return null;
	const to = Math.round(db) + step[key]!;
	return db <= off && step[key]! > 0 ? -60 : to < -60 ? off : Math.min(top, to);
}

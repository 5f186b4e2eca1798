// The layout of the multiview: preview and program large, every tile as large as the
// screen allows, nothing outside it.

export interface Layout {
	bigColumns: number; // 2: side by side, 1: one above the other
	columns: number;
	rows: number;
	big: number; // width of preview and program, in pixels
	small: number; // and of the tiles
	page: number; // tiles on a page
}

export interface Area {
	width: number;
	height: number;
	gap: number;
	strip: number; // height of the caption of each tile
}

export const maxTiles = 16; // more are too small to see

const ratio = 9 / 16;

/** The width of a tile, so that the grid fits the area. */
function fit(area: Area, columns: number, rows: number, height: number): number {
	const wide = (area.width - (columns - 1) * area.gap) / columns;
	const high = (height - (rows - 1) * area.gap) / rows - area.strip;
	return Math.max(0, Math.floor(Math.min(wide, high / ratio)));
}

function bestSplit(area: Area, count: number, bigColumns: number, columns: number): Layout {
	const rows = Math.ceil(count / columns);
	const bigRows = 2 / bigColumns;
	// Every split of the height between the large ones and the tiles is bestSplit; the best wins.
	let best: Layout = { bigColumns, columns, rows, big: 0, small: 0, page: count };
	for (let share = 0.3; share < 0.85; share += 0.025) {
		const height = area.height - area.gap;
		const big = fit(area, bigColumns, bigRows, height * share);
		const small = Math.min(big, fit(area, columns, rows, height * (1 - share)));
		if (score({ ...best, big, small }, count) > score(best, count)) best = { ...best, big, small };
	}
	return best;
}

// The area on the screen; preview and program count more, as the show is cut by them.
const score = (l: Layout, count: number) => 2 * 1.6 * l.big ** 2 + count * l.small ** 2;

/** The layout for this number of tiles in an area. */
export function layout(count: number, area: Area): Layout {
	const page = Math.min(count, maxTiles);
	if (page === 0) {
		const [wide, high] = [fit(area, 2, 1, area.height), fit(area, 1, 2, area.height)];
		return { bigColumns: wide >= high ? 2 : 1, columns: 0, rows: 0, big: Math.max(wide, high), small: 0, page };
	}
	let best: Layout | null = null;
	for (const bigColumns of [2, 1]) {
		for (let columns = 1; columns <= page; columns++) {
			const l = bestSplit(area, page, bigColumns, columns);
			if (!best || score(l, page) > score(best, page)) best = l;
		}
	}
	return best!;
}

// How a multiview is laid out: preview and program large, every other picture as large
// as the screen allows, nothing outside it.

export interface Layout {
	bigColumns: number; // 2 side by side, 1 above each other
	columns: number;
	rows: number;
	big: number; // width of a large picture, in pixels
	small: number; // and of the others
	page: number; // how many of the others there are on a page
}

export interface Room {
	width: number;
	height: number;
	gap: number;
	strip: number; // height of what stands over each picture
}

export const most = 16; // of the small pictures: more is nothing anybody looks at

const ratio = 9 / 16;

/** The width of a picture in a grid, so that the grid is in the room. */
function fit(room: Room, columns: number, rows: number, height: number): number {
	const wide = (room.width - (columns - 1) * room.gap) / columns;
	const high = (height - (rows - 1) * room.gap) / rows - room.strip;
	return Math.max(0, Math.floor(Math.min(wide, high / ratio)));
}

function tried(room: Room, count: number, bigColumns: number, columns: number): Layout {
	const rows = Math.ceil(count / columns);
	const bigRows = 2 / bigColumns;
	// The small ones first take what they need at full width, then the large ones give
	// way to them down to the same size, or the other way round: the best split wins.
	let best: Layout = { bigColumns, columns, rows, big: 0, small: 0, page: count };
	for (let share = 0.3; share < 0.85; share += 0.025) {
		const height = room.height - room.gap;
		const big = fit(room, bigColumns, bigRows, height * share);
		const small = Math.min(big, fit(room, columns, rows, height * (1 - share)));
		if (worth({ ...best, big, small }, count) > worth(best, count)) best = { ...best, big, small };
	}
	return best;
}

// Area on the screen; the two large ones count more, as the show is cut by them.
const worth = (l: Layout, count: number) => 2 * 1.6 * l.big ** 2 + count * l.small ** 2;

/** The layout for so many small pictures in a room. */
export function layout(count: number, room: Room): Layout {
	const page = Math.min(count, most);
	if (page === 0) {
		const [wide, high] = [fit(room, 2, 1, room.height), fit(room, 1, 2, room.height)];
		return { bigColumns: wide >= high ? 2 : 1, columns: 0, rows: 0, big: Math.max(wide, high), small: 0, page };
	}
	let best: Layout | null = null;
	for (const bigColumns of [2, 1]) {
		for (let columns = 1; columns <= page; columns++) {
			const l = tried(room, page, bigColumns, columns);
			if (!best || worth(l, page) > worth(best, page)) best = l;
		}
	}
	return best!;
}

// Lines over the video that only the operator sees.

export interface Size {
	width: number;
	height: number;
}

export interface Box extends Size {
	x: number;
	y: number;
}

/** Aspect ratios that can be cropped from the middle of the frame. */
export const shapes = { '9:16': 9 / 16, '1:1': 1, '4:3': 4 / 3 } as const;
export type Shape = keyof typeof shapes;

/** The largest box of an aspect ratio in the middle of a frame. */
export function crop({ width, height }: Size, shape: number): Box {
	const w = Math.min(width, height * shape);
	const h = Math.min(height, width / shape);
	return { x: (width - w) / 2, y: (height - h) / 2, width: w, height: h };
}

/** The part of a frame that is safe for action and for text (EBU R 95: 3.5 % and 5 %
 * from each edge). */
export function safe(box: Box, margin: number): Box {
	return {
		x: box.x + box.width * margin,
		y: box.y + box.height * margin,
		width: box.width * (1 - 2 * margin),
		height: box.height * (1 - 2 * margin),
	};
}

export const action = 0.035;
export const text = 0.05;

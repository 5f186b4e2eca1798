import { expect, test } from 'vitest';
import { layout, type Layout, type Area } from './layout';

const desk: Area = { width: 1920, height: 1080, gap: 6, strip: 30 };
const phone: Area = { width: 390, height: 800, gap: 6, strip: 22 };
const height = (l: Layout, r: Area) => {
	const rows = (n: number, w: number) => (n ? n * ((w * 9) / 16 + r.strip) + (n - 1) * r.gap : 0);
	return rows(2 / l.bigColumns, l.big) + (l.rows ? r.gap : 0) + rows(l.rows, l.small);
};

for (const [name, area] of Object.entries({
	desk,
	phone,
	tablet: { ...desk, width: 1024, height: 768 },
	wall: { ...desk, width: 3840, height: 1080 },
	strip: { ...desk, width: 300, height: 200 },
})) {
	test(`everything fits on a ${name}`, () => {
		for (let n = 0; n <= 16; n++) {
			const l = layout(n, area);
			expect(l.columns * l.rows).toBeGreaterThanOrEqual(n);
			expect(l.columns * l.small + (l.columns - 1) * area.gap).toBeLessThanOrEqual(area.width);
			expect(l.bigColumns * l.big + (l.bigColumns - 1) * area.gap).toBeLessThanOrEqual(area.width);
			expect(height(l, area)).toBeLessThanOrEqual(area.height + 1);
			expect(l.big).toBeGreaterThanOrEqual(l.small);
		}
	});
}

test('preview and program are side by side on a desk, one above the other on a phone', () => {
	expect(layout(8, desk).bigColumns).toBe(2);
	expect(layout(2, phone).bigColumns).toBe(1);
});

test('fewer tiles are never smaller', () => {
	for (let n = 1; n < 16; n++) expect(layout(n, desk).big * 1.02).toBeGreaterThanOrEqual(layout(n + 1, desk).big);
	expect(layout(4, desk)).toMatchObject({ columns: 4, rows: 1 });
	expect(layout(16, desk).small).toBeGreaterThan(220);
});

test('more than sixteen tiles are put on pages', () => {
	expect(layout(23, desk)).toEqual(layout(16, desk));
});

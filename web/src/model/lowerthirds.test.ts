import { expect, test } from 'vitest';
import type { GraphicsState } from '../api/protocol.gen';
import { air, dropped, lines, seconds } from './lowerthirds';

const now = Date.parse('2026-01-01T10:00:10Z');
const g = (change: object | null, rest: Partial<GraphicsState> = {}): GraphicsState => ({
	templates: [],
	items: [],
	...rest,
	onAir:
		change === null
			? undefined
			: {
					id: 'a',
					template: 'person',
					text: { name: 'Ada' },
					since: '2026-01-01T10:00:09Z',
					confirmed: false,
					...change,
				},
});

test('what was asked for is not on air before somebody shows it', () => {
	expect(air(g({}), true, now)).toMatchObject({ light: 'asked', word: 'GOING ON AIR', title: 'Ada' });
	expect(air(g({ confirmed: true }), true, now)).toMatchObject({ light: 'on', word: 'ON AIR' });
	expect(air(g({ since: '2026-01-01T10:00:01Z' }), true, now)).toMatchObject({ light: 'unsure', word: 'NOT SEEN' });
	expect(air(g({ confirmed: true }), true, now, 'OBS’ picture is not on air.')).toMatchObject({
		light: 'unsure',
		word: 'NOT SEEN',
		sentence: 'OBS’ picture is not on air.',
	});
	expect(air(g({}, { problem: 'nothing draws it' }), true, now)).toMatchObject({
		word: 'NOT SEEN',
		sentence: 'Nothing draws it.',
	});
});

test('without a link nothing is known, without an item it is off', () => {
	expect(air(g({ confirmed: true }), false, now)).toMatchObject({ light: 'unsure', word: 'UNKNOWN' });
	expect(air(g(null), true, now)).toMatchObject({ light: 'off', word: 'OFF' });
});

test('what leaves by itself says when', () => {
	expect(air(g({ confirmed: true, outAt: '2026-01-01T10:00:14.500Z' }), true, now).sentence).toBe('Out in 0:05');
	expect(air(g({ confirmed: true, outAt: '2026-01-01T10:00:09Z' }), true, now).sentence).toBe('Out in 0:00');
});

test('an item’s line has its fields, and its kind when it is not the usual one', () => {
	const templates = [
		{
			id: 'person',
			name: 'Name and title',
			fields: [
				{ name: 'name', label: 'Name' },
				{ name: 'title', label: 'Title' },
			],
		},
		{ id: 'headline', name: 'Headline', fields: [{ name: 'name', label: 'Headline' }] },
	];
	expect(lines({ id: 'a', template: 'person', text: { name: 'Ada', title: 'Poet' } }, templates)).toEqual({
		name: 'Ada',
		rest: 'Poet',
		kind: '',
	});
	expect(lines({ id: 'b', template: 'headline', text: { name: 'Storm' } }, templates)).toEqual({
		name: 'Storm',
		rest: '',
		kind: 'Headline',
	});
});

test('a dropped item takes the place it was dropped before', () => {
	const ids = ['a', 'b', 'c', 'd'];
	expect([dropped(ids, 'a', 3), dropped(ids, 'd', 0), dropped(ids, 'c', 1)]).toEqual([2, 0, 1]);
	expect([dropped(ids, 'b', 1), dropped(ids, 'b', 2), dropped(ids, 'x', 0)]).toEqual([null, null, null]);
});

test('seconds are read with a point or a comma', () => {
	expect([seconds(''), seconds('8'), seconds('2,5'), seconds('-1'), seconds('soon'), seconds('9999')]).toEqual([
		0,
		8000,
		2500,
		null,
		null,
		null,
	]);
});

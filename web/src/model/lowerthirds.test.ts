import { expect, test } from 'vitest';
import type { GraphicsState } from '../api/protocol.gen';
import { onAirText, dropIndex, itemText, seconds } from './lowerthirds';

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

test('a lower third is not on air before an output confirms it', () => {
	expect(onAirText(g({}), true, now)).toMatchObject({ status: 'pending', label: 'GOING ON AIR', title: 'Ada' });
	expect(onAirText(g({ confirmed: true }), true, now)).toMatchObject({ status: 'on', label: 'ON AIR' });
	expect(onAirText(g({ since: '2026-01-01T10:00:01Z' }), true, now)).toMatchObject({
		status: 'unconfirmed',
		label: 'NOT VISIBLE',
	});
	expect(onAirText(g({ confirmed: true }), true, now, 'OBS is not on air.')).toMatchObject({
		status: 'unconfirmed',
		label: 'NOT VISIBLE',
		sentence: 'OBS is not on air.',
	});
	expect(onAirText(g({}, { problem: 'nothing draws it' }), true, now)).toMatchObject({
		label: 'NOT VISIBLE',
		sentence: 'Nothing draws it.',
	});
});

test('without a connection nothing is known, without an item it is off', () => {
	expect(onAirText(g({ confirmed: true }), false, now)).toMatchObject({ status: 'unconfirmed', label: 'UNKNOWN' });
	expect(onAirText(g(null), true, now)).toMatchObject({ status: 'off', label: 'OFF' });
});

test('a timed lower third shows when it hides', () => {
	expect(onAirText(g({ confirmed: true, outAt: '2026-01-01T10:00:14.500Z' }), true, now).sentence).toBe(
		'Hides in 0:05',
	);
	expect(onAirText(g({ confirmed: true, outAt: '2026-01-01T10:00:09Z' }), true, now).sentence).toBe('Hides in 0:00');
});

test('the text of an item has its fields, and its template when it is not the default', () => {
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
	expect(itemText({ id: 'a', template: 'person', text: { name: 'Ada', title: 'Poet' } }, templates)).toEqual({
		name: 'Ada',
		rest: 'Poet',
		kind: '',
	});
	expect(itemText({ id: 'b', template: 'headline', text: { name: 'Storm' } }, templates)).toEqual({
		name: 'Storm',
		rest: '',
		kind: 'Headline',
	});
});

test('a dropped item takes the position it was dropped before', () => {
	const ids = ['a', 'b', 'c', 'd'];
	expect([dropIndex(ids, 'a', 3), dropIndex(ids, 'd', 0), dropIndex(ids, 'c', 1)]).toEqual([2, 0, 1]);
	expect([dropIndex(ids, 'b', 1), dropIndex(ids, 'b', 2), dropIndex(ids, 'x', 0)]).toEqual([null, null, null]);
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

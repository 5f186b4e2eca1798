import { expect, test } from 'vitest';
import type { GraphicsState } from '../api/protocol.gen';
import { scale } from './fit';
import { Pulse, wanted, without } from './scene';

const on = (change: object = {}): GraphicsState => ({
	templates: [],
	items: [],
	onAir: {
		id: 'a',
		template: 'person',
		text: { name: 'Ada\nKing ', title: '' },
		since: '2026-01-01T10:00:00Z',
		confirmed: false,
		...change,
	},
});

test('what is on air is drawn, on one line', () => {
	expect(wanted(on(), 0)).toEqual({ key: 'a', template: 'person', text: { name: 'Ada King', title: '' } });
	expect(wanted({ templates: [], items: [] }, 0)).toBeNull();
});

test('it leaves when its time is up, link or no link', () => {
	const due = Date.parse('2026-01-01T10:00:08Z');
	expect(wanted(on({ outAt: '2026-01-01T10:00:08Z' }), due - 1)).not.toBeNull();
	expect(wanted(on({ outAt: '2026-01-01T10:00:08Z' }), due)).toBeNull();
});

test('another text of the same lower third is the same lower third', () => {
	expect(wanted(on({ text: { name: 'Ada Lovelace' } }), 0)?.key).toBe(wanted(on(), 0)?.key);
	expect(wanted(on({ id: '' }), 0)?.key).toBe('2026-01-01T10:00:00Z');
});

test('a page that is not drawn does not beat; a hidden one shows nothing', () => {
	const pulse = new Pulse();
	const shown = wanted(on(), 0);
	expect(pulse.beat(shown, false)).toBeNull();
	pulse.drew();
	expect(pulse.beat(shown, false)).toMatchObject({ shown: true, text: { name: 'Ada King' } });
	expect(pulse.beat(shown, false)).toBeNull();
	expect(pulse.beat(shown, true)).toMatchObject({ shown: false });
	expect(pulse.bye()).toMatchObject({ shown: false, closing: true });
});

test('a logo that is lost is neither drawn nor told', () => {
	const one = wanted(on({ text: { name: 'Ada', logo: 'sponsor' } }), 0);
	expect(without(one, '')?.text.logo).toBe('sponsor');
	expect(without(one, 'other')).toBe(one);
	expect(without(one, 'sponsor')).toMatchObject({ key: 'a', text: { name: 'Ada', logo: '' } });
	expect(without(null, 'sponsor')).toBeNull();
});

test('a long line is made smaller, but never too small to read', () => {
	expect(scale(400, 800, 0.6)).toBe(1);
	expect(scale(1000, 800, 0.6)).toBe(0.8);
	expect(scale(9000, 800, 0.6)).toBe(0.6);
});

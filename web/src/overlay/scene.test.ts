import { expect, test } from 'vitest';
import type { GraphicsState } from '../api/protocol.gen';
import { scale } from './fit';
import { Heartbeat, requested, without } from './scene';

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

test('the lower third on air is drawn, each field on one line', () => {
	expect(requested(on(), 0)).toEqual({ key: 'a', template: 'person', text: { name: 'Ada King', title: '' } });
	expect(requested({ templates: [], items: [] }, 0)).toBeNull();
});

test('a lower third hides when its time is up, also while disconnected', () => {
	const due = Date.parse('2026-01-01T10:00:08Z');
	expect(requested(on({ outAt: '2026-01-01T10:00:08Z' }), due - 1)).not.toBeNull();
	expect(requested(on({ outAt: '2026-01-01T10:00:08Z' }), due)).toBeNull();
});

test('a changed text is still the same lower third', () => {
	expect(requested(on({ text: { name: 'Ada Lovelace' } }), 0)?.key).toBe(requested(on(), 0)?.key);
	expect(requested(on({ id: '' }), 0)?.key).toBe('2026-01-01T10:00:00Z');
});

test('a frozen page sends no heartbeat, and a hidden one shows nothing', () => {
	const heartbeat = new Heartbeat();
	const shown = requested(on(), 0);
	expect(heartbeat.beat(shown, false)).toBeNull();
	heartbeat.drawn();
	expect(heartbeat.beat(shown, false)).toMatchObject({ shown: true, text: { name: 'Ada King' } });
	expect(heartbeat.beat(shown, false)).toBeNull();
	expect(heartbeat.beat(shown, true)).toMatchObject({ shown: false });
	expect(heartbeat.closing()).toMatchObject({ shown: false, closing: true });
});

test('a logo that failed to load is neither drawn nor reported', () => {
	const one = requested(on({ text: { name: 'Ada', logo: 'sponsor' } }), 0);
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

import { describe, expect, test } from 'vitest';
import { action, counted, cap, taken, type Key } from './shortcuts';

const key = (k: Partial<Key>): Key => ({
	key: '',
	code: '',
	shiftKey: false,
	ctrlKey: false,
	altKey: false,
	metaKey: false,
	repeat: false,
	...k,
});

describe('the keys of the desk', () => {
	test('a digit puts its source in preview; 0 is the tenth', () => {
		expect(action(key({ code: 'Digit1', key: '1' }))).toEqual({ do: 'preview', index: 0 });
		expect(action(key({ code: 'Digit9', key: '9' }))).toEqual({ do: 'preview', index: 8 });
		expect(action(key({ code: 'Digit0', key: '0' }))).toEqual({ do: 'preview', index: 9 });
		expect(action(key({ code: 'Numpad4', key: '4' }))).toEqual({ do: 'preview', index: 3 });
	});

	test('a digit works on keyboards where it is another sign', () => {
		expect(action(key({ code: 'Digit2', key: 'é' }))).toEqual({ do: 'preview', index: 1 });
	});

	test('Shift or Ctrl with a digit cuts hot', () => {
		expect(action(key({ code: 'Digit3', key: '#', shiftKey: true }))).toEqual({ do: 'hot', index: 2 });
		expect(action(key({ code: 'Digit3', key: '3', ctrlKey: true }))).toEqual({ do: 'hot', index: 2 });
	});

	test('Space cuts, Enter takes, T changes the transition, ? helps', () => {
		expect(action(key({ code: 'Space', key: ' ' }))).toEqual({ do: 'cut' });
		expect(action(key({ code: 'Enter', key: 'Enter' }))).toEqual({ do: 'take' });
		expect(action(key({ code: 'NumpadEnter', key: 'Enter' }))).toEqual({ do: 'take' });
		expect(action(key({ code: 'KeyT', key: 't' }))).toEqual({ do: 'transition' });
		expect(action(key({ code: 'Slash', key: '?', shiftKey: true }))).toEqual({ do: 'help' });
	});

	test('a held key acts once', () => {
		expect(action(key({ code: 'Space', key: ' ', repeat: true }))).toBeNull();
	});

	test("the browser's own keys are left alone", () => {
		expect(action(key({ code: 'KeyT', key: 't', ctrlKey: true }))).toBeNull();
		expect(action(key({ code: 'Digit1', key: '1', altKey: true }))).toBeNull();
		expect(action(key({ code: 'Digit1', key: '1', metaKey: true }))).toBeNull();
		expect(action(key({ code: 'Space', key: ' ', ctrlKey: true }))).toBeNull();
	});

	test('only the first ten sources have a key', () => {
		expect([cap(0), cap(8), cap(9), cap(10)]).toEqual(['1', '9', '0', '']);
	});
});

describe('a key that the focused thing wants', () => {
	const inside = (html: string) => {
		document.body.innerHTML = html;
		return document.querySelector('#it');
	};

	test('letters and digits typed in a field stay there', () => {
		expect(taken(inside('<input id="it">'), '1')).toBe(true);
		expect(taken(inside('<select id="it"></select>'), 't')).toBe(true);
	});

	test('Space and Enter press the focused button, digits still go to the desk', () => {
		const button = inside('<button id="it">Stop</button>');
		expect(taken(button, ' ')).toBe(true);
		expect(taken(button, 'Enter')).toBe(true);
		expect(taken(button, '1')).toBe(false);
	});

	test('nothing reaches the desk from a dialog', () => {
		expect(taken(inside('<dialog open><p id="it"></p></dialog>'), '1')).toBe(true);
		expect(taken(document.body, ' ')).toBe(true); // a click on its text left the focus nowhere
	});

	test('with nothing focused every key is the desk’s', () => {
		inside('');
		expect(taken(document.body, ' ')).toBe(false);
	});
});

describe('lower thirds', () => {
	test('G asks for a number, N is the next, O is out', () => {
		const does = (key: string, change = {}) =>
			action({
				key,
				code: '',
				shiftKey: false,
				ctrlKey: false,
				altKey: false,
				metaKey: false,
				repeat: false,
				...change,
			});
		expect([does('g'), does('N'), does('o')].map((a) => a?.do)).toEqual(['arm', 'next', 'out']);
		expect(does('o', { ctrlKey: true })).toBeNull();
		expect(does('n', { repeat: true })).toBeNull();
	});

	test('a number that can grow is not sure yet', () => {
		expect(counted('3', 8)).toEqual({ index: 2, sure: true });
		expect(counted('1', 12)).toEqual({ index: 0, sure: false });
		expect(counted('2', 12)).toEqual({ index: 1, sure: true });
		expect(counted('12', 12)).toEqual({ index: 11, sure: true });
		expect(counted('9', 8)).toBeNull();
		expect(counted('0', 8)).toBeNull();
		expect(counted('', 8)).toBeNull();
	});
});

import { describe, expect, test } from 'vitest';
import { shortcutFor, numberTyped, keyLabel, usedByFocus, type KeyPress } from './shortcuts';

const key = (k: Partial<KeyPress>): KeyPress => ({
	key: '',
	code: '',
	shiftKey: false,
	ctrlKey: false,
	altKey: false,
	metaKey: false,
	repeat: false,
	...k,
});

describe('shortcuts', () => {
	test('a digit puts its source in preview; 0 is the tenth', () => {
		expect(shortcutFor(key({ code: 'Digit1', key: '1' }))).toEqual({ do: 'preview', index: 0 });
		expect(shortcutFor(key({ code: 'Digit9', key: '9' }))).toEqual({ do: 'preview', index: 8 });
		expect(shortcutFor(key({ code: 'Digit0', key: '0' }))).toEqual({ do: 'preview', index: 9 });
		expect(shortcutFor(key({ code: 'Numpad4', key: '4' }))).toEqual({ do: 'preview', index: 3 });
	});

	test('a digit works on keyboards where it is another character', () => {
		expect(shortcutFor(key({ code: 'Digit2', key: 'é' }))).toEqual({ do: 'preview', index: 1 });
	});

	test('Shift or Ctrl with a digit is a hot cut', () => {
		expect(shortcutFor(key({ code: 'Digit3', key: '#', shiftKey: true }))).toEqual({ do: 'hot', index: 2 });
		expect(shortcutFor(key({ code: 'Digit3', key: '3', ctrlKey: true }))).toEqual({ do: 'hot', index: 2 });
	});

	test('Space cuts, Enter takes, T changes the transition, ? opens help', () => {
		expect(shortcutFor(key({ code: 'Space', key: ' ' }))).toEqual({ do: 'cut' });
		expect(shortcutFor(key({ code: 'Enter', key: 'Enter' }))).toEqual({ do: 'take' });
		expect(shortcutFor(key({ code: 'NumpadEnter', key: 'Enter' }))).toEqual({ do: 'take' });
		expect(shortcutFor(key({ code: 'KeyT', key: 't' }))).toEqual({ do: 'transition' });
		expect(shortcutFor(key({ code: 'Slash', key: '?', shiftKey: true }))).toEqual({ do: 'help' });
	});

	test('a repeating key acts once', () => {
		expect(shortcutFor(key({ code: 'Space', key: ' ', repeat: true }))).toBeNull();
	});

	test("the browser's own shortcuts are left alone", () => {
		expect(shortcutFor(key({ code: 'KeyT', key: 't', ctrlKey: true }))).toBeNull();
		expect(shortcutFor(key({ code: 'Digit1', key: '1', altKey: true }))).toBeNull();
		expect(shortcutFor(key({ code: 'Digit1', key: '1', metaKey: true }))).toBeNull();
		expect(shortcutFor(key({ code: 'Space', key: ' ', ctrlKey: true }))).toBeNull();
	});

	test('only the first ten sources have a key', () => {
		expect([keyLabel(0), keyLabel(8), keyLabel(9), keyLabel(10)]).toEqual(['1', '9', '0', '']);
	});
});

describe('a key that the focused element uses', () => {
	const inside = (html: string) => {
		document.body.innerHTML = html;
		return document.querySelector('#it');
	};

	test('letters and digits typed in a field stay there', () => {
		expect(usedByFocus(inside('<input id="it">'), '1')).toBe(true);
		expect(usedByFocus(inside('<select id="it"></select>'), 't')).toBe(true);
	});

	test('Space and Enter press the focused button, digits are still shortcuts', () => {
		const button = inside('<button id="it">Stop</button>');
		expect(usedByFocus(button, ' ')).toBe(true);
		expect(usedByFocus(button, 'Enter')).toBe(true);
		expect(usedByFocus(button, '1')).toBe(false);
	});

	test('no key in a dialog is a shortcut', () => {
		expect(usedByFocus(inside('<dialog open><p id="it"></p></dialog>'), '1')).toBe(true);
		expect(usedByFocus(document.body, ' ')).toBe(true); // a click on its text removed the focus
	});

	test('with nothing focused every key is a shortcut', () => {
		inside('');
		expect(usedByFocus(document.body, ' ')).toBe(false);
	});
});

describe('lower thirds', () => {
	test('G asks for a number, N is the next, O is out', () => {
		const does = (key: string, change = {}) =>
			shortcutFor({
				key,
				code: '',
				shiftKey: false,
				ctrlKey: false,
				altKey: false,
				metaKey: false,
				repeat: false,
				...change,
			});
		expect([does('g'), does('N'), does('o')].map((a) => a?.do)).toEqual(['number', 'next', 'out']);
		expect(does('o', { ctrlKey: true })).toBeNull();
		expect(does('n', { repeat: true })).toBeNull();
	});

	test('a number that another digit can follow is not sure yet', () => {
		expect(numberTyped('3', 8)).toEqual({ index: 2, sure: true });
		expect(numberTyped('1', 12)).toEqual({ index: 0, sure: false });
		expect(numberTyped('2', 12)).toEqual({ index: 1, sure: true });
		expect(numberTyped('12', 12)).toEqual({ index: 11, sure: true });
		expect(numberTyped('9', 8)).toBeNull();
		expect(numberTyped('0', 8)).toBeNull();
		expect(numberTyped('', 8)).toBeNull();
	});
});

// What the keys of the panel do. Digits are read by their position on the keyboard, so
// that they work on layouts where a digit needs Shift, and on the number pad.

export type Shortcut =
	| { do: 'preview'; index: number }
	| { do: 'hot'; index: number }
	| { do: 'cut' }
	| { do: 'take' }
	| { do: 'transition' }
	| { do: 'number' }
	| { do: 'next' }
	| { do: 'out' }
	| { do: 'view' }
	| { do: 'help' };

export interface KeyPress {
	key: string;
	code: string;
	shiftKey: boolean;
	ctrlKey: boolean;
	altKey: boolean;
	metaKey: boolean;
	repeat: boolean;
}

const digit = /^(?:Digit|Numpad)([0-9])$/;

/** The shortcut of a key, or null. A key acts once until it is released. */
export function shortcutFor(k: KeyPress): Shortcut | null {
	if (k.repeat || k.altKey || k.metaKey) return null;
	const number = digit.exec(k.code);
	if (number) {
		const index = (Number(number[1]) + 9) % 10; // 1 is the first, 0 the tenth
		return { do: k.shiftKey || k.ctrlKey ? 'hot' : 'preview', index };
	}
	if (k.ctrlKey) return null;
	if (k.key === '?') return { do: 'help' };
	if (k.shiftKey) return null;
	if (k.code === 'Space') return { do: 'cut' };
	if (k.key === 'Enter') return { do: 'take' };
	return letters[k.key.toLowerCase()] ?? null;
}

const letters: Record<string, Shortcut> = {
	t: { do: 'transition' },
	g: { do: 'number' },
	n: { do: 'next' },
	o: { do: 'out' },
	f: { do: 'view' },
};

/** The lower third that the digits after G select, counted from 1; null when there is none.
 * It is sure when no further digit can select another one. */
export function numberTyped(digits: string, count: number): { index: number; sure: boolean } | null {
	const n = Number(digits);
	if (digits === '' || n < 1 || n > count) return null;
	return { index: n - 1, sure: n * 10 > count };
}

/** The digit of a key, '' when it is none. */
export function digitFor(k: KeyPress): string {
	return (!k.repeat && !k.altKey && !k.metaKey && digit.exec(k.code)?.[1]) || '';
}

/** The key of the source at index, '' when it has none. */
export function keyLabel(index: number): string {
	return index < 10 ? String((index + 1) % 10) : '';
}

const textFields = 'input, textarea, select, [contenteditable="true"]';
const pressables = 'button, a[href], summary, [role="button"]';

/** Whether the focused element uses the key itself: then it is no shortcut. */
export function usedByFocus(target: EventTarget | null, key: string): boolean {
	if (document.querySelector('dialog[open]')) return true; // a click on the text of a dialog leaves the focus outside it
	if (!(target instanceof Element)) return false;
	if (target.closest(textFields)) return true;
	return (key === ' ' || key === 'Enter') && target.closest(pressables) !== null;
}

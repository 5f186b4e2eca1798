// What the keys of the desk do. Digits are read by their place on the keyboard, so
// that they work on layouts where a digit needs Shift, and on the number pad.

export type Action =
	| { do: 'preview'; index: number }
	| { do: 'hot'; index: number }
	| { do: 'cut' }
	| { do: 'take' }
	| { do: 'transition' }
	| { do: 'arm' }
	| { do: 'next' }
	| { do: 'out' }
	| { do: 'view' }
	| { do: 'help' };

export interface Key {
	key: string;
	code: string;
	shiftKey: boolean;
	ctrlKey: boolean;
	altKey: boolean;
	metaKey: boolean;
	repeat: boolean;
}

const digit = /^(?:Digit|Numpad)([0-9])$/;

/** The action of a key, or null. A held key acts once. */
export function action(k: Key): Action | null {
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

const letters: Record<string, Action> = {
	t: { do: 'transition' },
	g: { do: 'arm' },
	n: { do: 'next' },
	o: { do: 'out' },
	f: { do: 'view' },
};

/** What the digits after G mean: the number of a lower third, or that more must come
 * before it is known which. 1 is the first; 12 waits for nothing in a list of 100 only
 * once nothing can follow. */
export function counted(digits: string, count: number): { index: number; sure: boolean } | null {
	const n = Number(digits);
	if (digits === '' || n < 1 || n > count) return null;
	return { index: n - 1, sure: n * 10 > count };
}

/** The digit of a key, '' when it is none. */
export function digitOf(k: Key): string {
	return (!k.repeat && !k.altKey && !k.metaKey && digit.exec(k.code)?.[1]) || '';
}

/** The key cap of the source at index, '' when it has none. */
export function cap(index: number): string {
	return index < 10 ? String((index + 1) % 10) : '';
}

const writes = 'input, textarea, select, [contenteditable="true"]';
const presses = 'button, a[href], summary, [role="button"]';

/** Whether the focused thing wants the key itself: then the desk must not act on it. */
export function taken(target: EventTarget | null, key: string): boolean {
	if (document.querySelector('dialog[open]')) return true; // a click on a dialog's text leaves the focus outside it
	if (!(target instanceof Element)) return false;
	if (target.closest(writes)) return true;
	return (key === ' ' || key === 'Enter') && target.closest(presses) !== null;
}

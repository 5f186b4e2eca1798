// What the keys of the desk do. Digits are read by their place on the keyboard, so
// that they work on layouts where a digit needs Shift, and on the number pad.

export type Action =
	| { do: 'preview'; index: number }
	| { do: 'hot'; index: number }
	| { do: 'cut' }
	| { do: 'take' }
	| { do: 'transition' }
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
	if (k.key === 't' || k.key === 'T') return { do: 'transition' };
	return null;
}

/** The key cap of the source at index, '' when it has none. */
export function cap(index: number): string {
	return index < 10 ? String((index + 1) % 10) : '';
}

const writes = 'input, textarea, select, [contenteditable="true"]';
const presses = 'button, a[href], summary, [role="button"]';

/** Whether the focused thing wants the key itself: then the desk must not act on it. */
export function taken(target: EventTarget | null, key: string): boolean {
	if (!(target instanceof Element)) return false;
	if (target.closest('dialog')) return true;
	if (target.closest(writes)) return true;
	return (key === ' ' || key === 'Enter') && target.closest(presses) !== null;
}

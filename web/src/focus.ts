// Where the focus goes when something takes it, and when that is gone.

import { tick } from 'svelte';

/** Gives the focus to the first thing to fill in, not to the way out; where fingers
 * type, that would only bring the keyboard up over what is asked. */
export function begin(where: Element) {
	const first = where.querySelector<HTMLElement>('input[type=radio]:checked, :is(input:not([type=file], [type=radio], [readonly]), select, textarea, button):enabled');
	if (matchMedia('(pointer: fine)').matches) first?.focus();
}

/** Remembers what has the focus; the returned function gives it back, once the page is
 * drawn anew and if it is still there. */
export function giveBack(): () => void {
	const before = document.activeElement;
	return () =>
		void tick().then(() => {
			if (before instanceof HTMLElement && before !== document.body && before.isConnected) before.focus();
		});
}

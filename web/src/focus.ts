// Where the focus goes when something that took it is gone.

import { tick } from 'svelte';

/** Remembers what has the focus; the returned function gives it back, once the page is
 * drawn anew and if it is still there. */
export function giveBack(): () => void {
	const before = document.activeElement;
	return () =>
		void tick().then(() => {
			if (before instanceof HTMLElement && before !== document.body && before.isConnected) before.focus();
		});
}

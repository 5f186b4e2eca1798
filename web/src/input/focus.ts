// Where the focus goes when something takes it, and when that is gone.

import { tick } from 'svelte';

/** Gives the focus to the first thing to fill in, or to the answer that changes nothing,
 * not to the way out; where fingers type, that would only bring the keyboard up over what
 * is asked. A dialog whose fields act at once is no form: an arrow key must not act. */
export function begin(where: Element) {
	const fields =
		':is(input[type=radio]:checked, input:not([type=file], [type=radio], [readonly]), select, textarea):enabled';
	const first =
		where.querySelector<HTMLElement>(`form ${fields}`) ?? where.querySelector<HTMLElement>('.answers button');
	if (matchMedia('(pointer: fine)').matches) first?.focus();
}

/** Goes to the next part of the desk, or back to the one before, as F6 does in programs
 * that have many: a button at its far end is not forty steps away. */
export function nextPart(back: boolean) {
	const enabled = ':is(button, a[href], input, select, summary, [tabindex]):not(:disabled, [tabindex="-1"])';
	const parts = [...document.querySelectorAll('section[aria-label], [role=group][aria-label]')].filter((part) =>
		part.querySelector(enabled),
	);
	const here = parts.findIndex((part) => part.contains(document.activeElement));
	const to = here < 0 ? (back ? parts.length - 1 : 0) : (here + (back ? -1 : 1) + parts.length) % parts.length;
	parts[to]?.querySelector<HTMLElement>(enabled)?.focus();
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

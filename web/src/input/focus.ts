// Where the focus goes when a dialog opens and closes, and with F6.

import { tick } from 'svelte';

/** Focuses the first field of a form, or the answer that changes nothing, rather than the
 * close button; not on touch screens, where the keyboard would cover the dialog. Fields that
 * act at once are not focused: an arrow key must not change them. */
export function focusFirst(where: Element) {
	const fields =
		':is(input[type=radio]:checked, input:not([type=file], [type=radio], [readonly]), select, textarea):enabled';
	const first =
		where.querySelector<HTMLElement>(`form ${fields}`) ?? where.querySelector<HTMLElement>('.answers button');
	if (matchMedia('(pointer: fine)').matches) first?.focus();
}

/** Moves the focus to the next section of the page, or the previous one, as F6 does in
 * desktop programs: a distant button is not forty Tab presses away. */
export function nextPart(back: boolean) {
	const enabled = ':is(button, a[href], input, select, summary, [tabindex]):not(:disabled, [tabindex="-1"])';
	const parts = [...document.querySelectorAll('section[aria-label], [role=group][aria-label]')].filter((part) =>
		part.querySelector(enabled),
	);
	const here = parts.findIndex((part) => part.contains(document.activeElement));
	const to = here < 0 ? (back ? parts.length - 1 : 0) : (here + (back ? -1 : 1) + parts.length) % parts.length;
	parts[to]?.querySelector<HTMLElement>(enabled)?.focus();
}

/** Remembers the focused element; the returned function restores the focus after the next
 * update, if the element is still there. */
export function restoreFocus(): () => void {
	const before = document.activeElement;
	return () =>
		void tick().then(() => {
			if (before instanceof HTMLElement && before !== document.body && before.isConnected) before.focus();
		});
}

// Where the focus goes when something that took it is gone.

/** Remembers what has the focus; the returned function gives it back, if it is still there. */
export function giveBack(): () => void {
	const before = document.activeElement;
	return () => {
		if (before instanceof HTMLElement && before !== document.body && before.isConnected) before.focus();
	};
}

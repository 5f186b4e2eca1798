// Makes a line smaller until it fits, down to a floor; a line that is still too long is cut
// with an ellipsis by its style.

/** The scale of a line of this natural width. */
export function scale(natural: number, room: number, floor: number): number {
	return natural <= room || natural === 0 ? 1 : Math.max(floor, room / natural);
}

/** Attaches to a line whose font size is a multiple of --fit. */
export const fit = (floor: number) => (line: HTMLElement) => {
	const measure = () => {
		line.style.setProperty('--fit', '1');
		const style = getComputedStyle(line);
		const room = line.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - 1;
		const text = document.createRange();
		text.selectNodeContents(line);
		line.style.setProperty('--fit', scale(text.getBoundingClientRect().width, room, floor).toFixed(4));
	};
	measure();
	void document.fonts?.ready.then(measure);
	const changes = new MutationObserver(measure);
	changes.observe(line, { characterData: true, childList: true, subtree: true });
	addEventListener('resize', measure);
	return () => {
		changes.disconnect();
		removeEventListener('resize', measure);
	};
};

// Whether the multiview's tiles show all frames of their cameras, or keyframes only, which
// a small computer decodes easily. The browser remembers it.

const name = 'obvan.multiview.frames';

export class TileMode {
	keyframes = $state(false);
	readonly #store: () => Pick<Storage, 'getItem' | 'setItem'>;

	/** A browser may refuse its storage, by throwing when it is accessed. */
	constructor(store: () => Pick<Storage, 'getItem' | 'setItem'> = () => localStorage) {
		this.#store = store;
		try {
			this.keyframes = store().getItem(name) === 'keyframes';
		} catch {
			// it starts with all frames each time
		}
	}

	get label(): string {
		return this.keyframes ? 'Tiles: keyframes only (saves CPU)' : 'Tiles: all frames';
	}

	change() {
		this.keyframes = !this.keyframes;
		try {
			this.#store().setItem(name, this.keyframes ? 'keyframes' : 'all');
		} catch {
			// it lasts until the page is closed
		}
	}
}

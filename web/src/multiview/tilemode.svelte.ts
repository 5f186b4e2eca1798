// Whether the multiview's tiles show every picture of their cameras, or key pictures
// only, which a page on a small computer decodes easily. This browser remembers it.

const name = 'obvan.multiview.pictures';

export class Tiles {
	keys = $state(false);
	readonly #store: () => Pick<Storage, 'getItem' | 'setItem'>;

	/** A browser may refuse its storage, by throwing already when it is named. */
	constructor(store: () => Pick<Storage, 'getItem' | 'setItem'> = () => localStorage) {
		this.#store = store;
		try {
			this.keys = store().getItem(name) === 'key';
		} catch {
			// it begins with every picture each time
		}
	}

	get words(): string {
		return this.keys ? 'Tiles: key pictures only (saves CPU)' : 'Tiles: every picture';
	}

	change() {
		this.keys = !this.keys;
		try {
			this.#store().setItem(name, this.keys ? 'key' : 'every');
		} catch {
			// it holds until the page is left
		}
	}
}

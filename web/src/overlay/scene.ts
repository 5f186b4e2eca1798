// What the overlay page draws, and what it reports to the studio.
import type { HeartbeatArgs, GraphicsState } from '../api/protocol.gen';

/** A lower third as it is drawn. */
export interface Drawn {
	key: string; // a new key is a new lower third: one hides, the other shows
	template: string;
	text: Record<string, string>;
}

const oneLine = (text: string) => text.replace(/\s+/gu, ' ').trim();

/** The lower third to draw. now is the server's time: one whose time is up hides also while
 * disconnected. */
export function requested(g: GraphicsState, now: number): Drawn | null {
	const on = g.onAir;
	if (!on || (on.outAt && Date.parse(on.outAt) <= now)) return null;
	const text = Object.fromEntries(Object.entries(on.text).map(([field, value]) => [field, oneLine(value)]));
	return { key: on.id || on.since, template: on.template, text };
}

/** The same without a logo that failed to load: what is not drawn must not be reported. */
export function without(one: Drawn | null, lost: string): Drawn | null {
	return one && lost !== '' && one.text.logo === lost ? { ...one, text: { ...one.text, logo: '' } } : one;
}

/** The heartbeat: sent once a second, but only if the page was really painted since the
 * last one, so that a frozen page is detected. */
export class Heartbeat {
	readonly #page = Math.random().toString(36).slice(2, 10);
	#painted = false;

	/** The page was painted. */
	drawn() {
		this.#painted = true;
	}

	/** The heartbeat for what is shown, null when the page is frozen. A hidden page is not
	 * painted, and shows nothing. */
	beat(shown: Drawn | null, hidden: boolean): HeartbeatArgs | null {
		if (!this.#painted && !hidden) return null;
		this.#painted = false;
		return shown && !hidden ? { page: this.#page, shown: true, text: shown.text } : { page: this.#page, shown: false };
	}

	/** The last heartbeat: the page is being closed. */
	closing(): HeartbeatArgs {
		return { page: this.#page, shown: false, closing: true };
	}
}

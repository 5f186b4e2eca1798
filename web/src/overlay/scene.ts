// What the overlay page shows, and what it tells the studio about that.
import type { HeartbeatArgs, GraphicsState } from '../api/protocol.gen';

/** A lower third as it is drawn. */
export interface Shown {
	key: string; // another key is another lower third: one goes out, the other comes in
	template: string;
	text: Record<string, string>;
}

const oneLine = (text: string) => text.replace(/\s+/gu, ' ').trim();

/** What shall be drawn. now is the server's time: what is due to leave leaves also when
 * the link is down. */
export function wanted(g: GraphicsState, now: number): Shown | null {
	const on = g.onAir;
	if (!on || (on.outAt && Date.parse(on.outAt) <= now)) return null;
	const text = Object.fromEntries(Object.entries(on.text).map(([field, value]) => [field, oneLine(value)]));
	return { key: on.id || on.since, template: on.template, text };
}

/** The same without a logo that is lost: what can't be drawn must not be told as shown. */
export function without(one: Shown | null, lost: string): Shown | null {
	return one && lost !== '' && one.text.logo === lost ? { ...one, text: { ...one.text, logo: '' } } : one;
}

/** The heartbeat: sent once a second, but only when the page was really drawn since the
 * last, so that a frozen one is found out. */
export class Pulse {
	readonly #page = Math.random().toString(36).slice(2, 10);
	#drawn = false;

	/** The page was drawn. */
	drew() {
		this.#drawn = true;
	}

	/** The beat for what is shown, null when the page stands still. A hidden page is not
	 * drawn, and shows nothing. */
	beat(shown: Shown | null, hidden: boolean): HeartbeatArgs | null {
		if (!this.#drawn && !hidden) return null;
		this.#drawn = false;
		return shown && !hidden ? { page: this.#page, shown: true, text: shown.text } : { page: this.#page, shown: false };
	}

	/** The last beat: the page is being closed. */
	bye(): HeartbeatArgs {
		return { page: this.#page, shown: false, closing: true };
	}
}

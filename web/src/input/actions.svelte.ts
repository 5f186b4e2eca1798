// What the operator's hands do on the desk, by mouse or key. Nothing has happened
// before the state says so.
import { places, title, transitions } from '../model/sources';
import { nextPart } from './focus';
import { action, counted, digitOf, taken, type Action } from './shortcuts';
import type { Command } from '../api/protocol.gen';
import { studio } from '../api/studio.svelte';

const armedFor = 4000;
const moreWithin = 900; // a digit that others can follow waits so long

export class Hands {
	help = $state(false);
	/** The picture that is watched over the whole page; '' for none. */
	viewing = $state<'' | 'preview' | 'program'>('');
	/** The digits typed after G, for a lower third; null when none is asked for. */
	digits = $state<string | null>(null);
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** A source was picked: for preview, or hot, straight on air. */
	pick(source: string, hot: boolean) {
		if (source === '' || studio.barred('mixer.cut')) return;
		const name = title(studio.state, source);
		if (hot || !studio.state.mixer.studioMode) void studio.send('mixer.cut', { source }, `Cut to ${name}`);
		else void studio.send('mixer.preview', { source }, `Preview ${name}`);
	}

	cut() {
		if (!studio.barred('mixer.cut') && studio.state.mixer.preview) void studio.send('mixer.cut', {}, 'Cut');
	}

	take() {
		if (!studio.barred('mixer.take') && studio.state.mixer.preview) void studio.send('mixer.take', {}, 'Take');
	}

	/** Makes a transition the mixer's own. */
	transition(kind: string) {
		if (kind && !studio.barred('mixer.transition')) void studio.send('mixer.transition', { kind }, `Choose ${kind}`);
	}

	/** The transition that a take uses, or will once the mixer has heard of it. */
	get kind(): string {
		const asked = studio.commands.filter((c) => c.state === 'asked' && c.method === 'mixer.transition').at(-1);
		return (asked?.params as { kind?: string } | undefined)?.kind ?? studio.state.mixer.transition.kind ?? '';
	}

	takeGraphic(index: number) {
		const item = studio.state.graphics.items[index];
		if (item && !studio.barred('graphics.take'))
			void studio.send('graphics.take', { id: item.id }, `Lower third ${item.text.name ?? ''}`);
	}

	next() {
		if (studio.state.graphics.next) this.#ask('graphics.next', 'The next lower third');
	}

	out() {
		if (studio.state.graphics.onAir) this.#ask('graphics.out', 'Take the lower third out');
	}

	#ask(command: Command & ('graphics.next' | 'graphics.out'), about: string) {
		if (!studio.barred(command)) void studio.send(command, {}, about);
	}

	/** A key of the page. */
	key(e: KeyboardEvent) {
		const focus = document.activeElement;
		if (e.key === 'Escape') {
			this.disarm();
			if (focus instanceof HTMLElement && !focus.closest('dialog')) focus.blur();
		}
		if (e.key === 'F6' && studio.known && !document.querySelector('dialog[open]')) {
			nextPart(e.shiftKey);
			return e.preventDefault();
		}
		if (taken(e.target, e.key) || !studio.known || studio.link.state === 'login') return;
		if (this.digits !== null && this.#typed(e)) return e.preventDefault();
		const does = action(e);
		if (!does) return;
		e.preventDefault();
		this.#do(does);
	}

	#do(does: Action) {
		const kinds = transitions(studio.state);
		if (does.do === 'preview' || does.do === 'hot')
			this.pick(places(studio.state)[does.index]?.source ?? '', does.do === 'hot');
		else if (does.do === 'transition') this.transition(kinds[(kinds.indexOf(this.kind) + 1) % kinds.length] ?? '');
		else if (does.do === 'arm') this.#arm('', armedFor);
		else if (does.do === 'view') this.viewing = this.viewing ? '' : 'program';
		else if (does.do === 'help') this.help = true;
		else this[does.do]();
	}

	#arm(digits: string, ms: number) {
		clearTimeout(this.#timer);
		this.digits = digits;
		this.#timer = setTimeout(() => this.#fire(), ms);
	}

	disarm() {
		clearTimeout(this.#timer);
		this.digits = null;
	}

	// A digit, or Enter after some: true when the key was for the lower third.
	#typed(e: KeyboardEvent): boolean {
		if (e.key === 'Enter' && this.digits) {
			this.#fire();
			return true;
		}
		const digit = digitOf(e);
		if (!digit) {
			this.disarm();
			return e.key.toLowerCase() === 'g'; // G again: not this time
		}
		const digits = this.digits + digit;
		const which = counted(digits, studio.state.graphics.items.length);
		if (!which) this.disarm();
		else this.#arm(digits, moreWithin);
		if (which?.sure) this.#fire();
		return true;
	}

	#fire() {
		const which = counted(this.digits ?? '', studio.state.graphics.items.length);
		this.disarm();
		if (which) this.takeGraphic(which.index);
	}
}

export const hands = new Hands();

// What the operator does, by mouse or key. Nothing has changed before the state says so.
import { sourceItems, title, transitions } from '../model/sources';
import { nextPart } from './focus';
import { shortcutFor, numberTyped, digitFor, usedByFocus, type Shortcut } from './shortcuts';
import type { Command } from '../api/protocol.gen';
import { studio } from '../api/studio.svelte';

const numberWithin = 4000;
const nextDigitWithin = 900; // how long a digit that others can follow waits

export class Actions {
	help = $state(false);
	/** The bus that is shown over the whole page; '' for none. */
	viewing = $state<'' | 'preview' | 'program'>('');
	/** The digits typed after G, for a lower third; null when G was not pressed. */
	digits = $state<string | null>(null);
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** A source was selected: for preview, or hot, straight to program. */
	pick(source: string, hot: boolean) {
		if (source === '' || studio.blocked('mixer.cut')) return;
		const name = title(studio.state, source);
		if (hot || !studio.state.mixer.studioMode) void studio.send('mixer.cut', { source }, `Cut to ${name}`);
		else void studio.send('mixer.preview', { source }, `Preview ${name}`);
	}

	cut() {
		if (!studio.blocked('mixer.cut') && studio.state.mixer.preview) void studio.send('mixer.cut', {}, 'Cut');
	}

	take() {
		if (!studio.blocked('mixer.take') && studio.state.mixer.preview) void studio.send('mixer.take', {}, 'Take');
	}

	/** Selects the transition of the mixer. */
	transition(kind: string) {
		if (kind && !studio.blocked('mixer.transition'))
			void studio.send('mixer.transition', { kind }, `Transition ${kind}`);
	}

	/** The selected transition, or the one just requested. */
	get kind(): string {
		const sent = studio.commands.filter((c) => c.state === 'pending' && c.method === 'mixer.transition').at(-1);
		return (sent?.params as { kind?: string } | undefined)?.kind ?? studio.state.mixer.transition.kind ?? '';
	}

	takeGraphic(index: number) {
		const item = studio.state.graphics.items[index];
		if (item && !studio.blocked('graphics.take'))
			void studio.send('graphics.take', { id: item.id }, `Lower third ${item.text.name ?? ''}`);
	}

	next() {
		if (studio.state.graphics.next) this.#send('graphics.next', 'Next lower third');
	}

	out() {
		if (studio.state.graphics.onAir) this.#send('graphics.out', 'Hide the lower third');
	}

	#send(command: Command & ('graphics.next' | 'graphics.out'), about: string) {
		if (!studio.blocked(command)) void studio.send(command, {}, about);
	}

	/** A key of the page. */
	key(e: KeyboardEvent) {
		const focus = document.activeElement;
		if (e.key === 'Escape') {
			this.cancelNumber();
			if (focus instanceof HTMLElement && !focus.closest('dialog')) focus.blur();
		}
		if (e.key === 'F6' && studio.loaded && !document.querySelector('dialog[open]')) {
			nextPart(e.shiftKey);
			return e.preventDefault();
		}
		if (usedByFocus(e.target, e.key) || !studio.loaded || studio.connection.state === 'login') return;
		if (this.digits !== null && this.#typeNumber(e)) return e.preventDefault();
		const shortcut = shortcutFor(e);
		if (!shortcut) return;
		e.preventDefault();
		this.#run(shortcut);
	}

	#run(does: Shortcut) {
		const kinds = transitions(studio.state);
		if (does.do === 'preview' || does.do === 'hot')
			this.pick(sourceItems(studio.state)[does.index]?.source ?? '', does.do === 'hot');
		else if (does.do === 'transition') this.transition(kinds[(kinds.indexOf(this.kind) + 1) % kinds.length] ?? '');
		else if (does.do === 'number') this.#collect('', numberWithin);
		else if (does.do === 'view') this.viewing = this.viewing ? '' : 'program';
		else if (does.do === 'help') this.help = true;
		else this[does.do]();
	}

	#collect(digits: string, ms: number) {
		clearTimeout(this.#timer);
		this.digits = digits;
		this.#timer = setTimeout(() => this.#takeNumber(), ms);
	}

	cancelNumber() {
		clearTimeout(this.#timer);
		this.digits = null;
	}

	// A digit, or Enter after digits: true when the key was for the lower third.
	#typeNumber(e: KeyboardEvent): boolean {
		if (e.key === 'Enter' && this.digits) {
			this.#takeNumber();
			return true;
		}
		const digit = digitFor(e);
		if (!digit) {
			this.cancelNumber();
			return e.key.toLowerCase() === 'g'; // G again cancels
		}
		const digits = this.digits + digit;
		const which = numberTyped(digits, studio.state.graphics.items.length);
		if (!which) this.cancelNumber();
		else this.#collect(digits, nextDigitWithin);
		if (which?.sure) this.#takeNumber();
		return true;
	}

	#takeNumber() {
		const which = numberTyped(this.digits ?? '', studio.state.graphics.items.length);
		this.cancelNumber();
		if (which) this.takeGraphic(which.index);
	}
}

export const actions = new Actions();

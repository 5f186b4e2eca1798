// What the panel and the server's connection share: the connection's state, commands
// and their outcomes, and what the connection needs of the browser.
import type { Command, Commands, State } from './protocol.gen';

/** How the panel is connected. Only 'up' may look live. */
export type Link =
	| { state: 'connecting'; since: number }
	| { state: 'up'; since: number }
	| { state: 'lost'; since: number; retryAt: number } // retryAt 0: trying right now
	| { state: 'login'; since: number; why: string };

/** A command is asked until the server answered; unknown when the link broke first. */
export interface Asked {
	id: number;
	method: Command;
	params: object;
	about: string; // what was asked, in words
	state: 'asked' | 'confirmed' | 'refused' | 'unknown';
	message: string; // why it was refused, or what to do about the unknown
	at: number;
	quiet: boolean; // the one who asked shows the refusal
}

export type Outcome<C extends Command> =
	{ ok: true; result: Commands[C]['result'] } | { ok: false; unknown: boolean; message: string };

/** The part of a browser's WebSocket that is used. */
export interface Socket {
	onopen: (() => void) | null;
	onmessage: ((e: { data: unknown }) => void) | null;
	onclose: (() => void) | null;
	send(data: string): void;
	close(): void;
}

/** What the studio needs of the browser; tests bring their own. */
export interface Browser {
	open(): Socket;
	fetch(path: string, init?: RequestInit): Promise<Response>;
	random(): number;
}

/** How long no word from the server is borne. */
export interface Patience {
	quiet: number; // then it is asked
	doubt: number; // then, still without an answer, what is shown is said to be old
	dead: number; // then the link is gone, whatever the browser thinks
}

export const empty: State = {
	show: { name: '', live: false, version: '', mixerUrl: '', rtmpPort: 0, rtspPort: 0 },
	feeds: [],
	mixer: {
		kind: '',
		connected: false,
		sources: [],
		program: '',
		studioMode: false,
		transition: {},
		onAir: [],
		onPreview: [],
	},
	program: {
		onAir: '',
		target: '',
		since: '',
		level: 'none',
		splices: 0,
		timeoutMs: 0,
		kbps: 0,
		fps: 0,
		watch: { ok: false },
	},
	destinations: [],
	tally: {},
	graphics: { templates: [], items: [] },
	obs: { available: false, canUndo: false },
	selfTest: { running: false },
	clients: [],
	log: [],
};

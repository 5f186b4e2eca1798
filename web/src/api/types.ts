// What the panel and the server's connection share: the connection's state, commands
// and their outcomes, and what the connection needs of the browser.
import type { Command, Commands, State } from './protocol.gen';

/** The state of the connection to the server. Only 'up' may look live. */
export type Connection =
	| { state: 'connecting'; since: number }
	| { state: 'up'; since: number }
	| { state: 'lost'; since: number; retryAt: number } // retryAt 0: connecting right now
	| { state: 'login'; since: number; reason: string };

/** A command is pending until the server answers; unknown when the connection is lost first. */
export interface SentCommand {
	id: number;
	method: Command;
	params: object;
	about: string; // what it does, as the operator would say it
	state: 'pending' | 'confirmed' | 'refused' | 'unknown';
	message: string; // why it was refused, or what to do when the outcome is unknown
	at: number;
	quiet: boolean; // the sender shows the refusal itself
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

/** What happens while the server sends nothing, in milliseconds of silence. */
export interface SilenceTimeouts {
	ping: number; // a ping is sent
	stale: number; // still no answer: the state is marked as old
	lost: number; // the connection is given up, whatever the browser reports
}

/** The state before the first message. */
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

/** Shown wherever the state is not known for lack of a connection. */
export const noConnection = 'No connection to the server.';

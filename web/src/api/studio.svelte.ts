// The studio as the server reports it. Only this file knows that there is a
// websocket: components read studio.state and call studio.send.
import { untrack } from 'svelte';
import { newBackoff, type Backoff } from './backoff';
import { socket } from './login';
import { least, roles, type Command, type Commands, type State, type StateMessage, type You } from './protocol.gen';
import {
	empty,
	noConnection,
	type SentCommand,
	type Browser,
	type Connection,
	type Outcome,
	type SilenceTimeouts,
	type Socket,
} from './types';

/** A message of the server: a notification, or the answer to a command. */
interface Message {
	id?: number;
	method?: string;
	params?: StateMessage; // of "state"; other notifications have their own types
	result?: unknown;
	error?: { message: string; data?: { code?: string } };
}

type Done = (message: Message | { unknown: string }) => void;

const usual: SilenceTimeouts = { ping: 2000, stale: 3500, lost: 8000 };
const openTimeout = 5000;
const answerTimeout = 6000; // after it the outcome is unknown, though a late answer still counts
const coalesce = 16; // ms
const historyLength = 40; // commands

export class Studio {
	state = $state.raw<State>(empty);
	connection = $state.raw<Connection>({ state: 'connecting', since: Date.now() });
	you = $state.raw<You>({ name: '', role: 'viewer' });
	commands = $state.raw<SentCommand[]>([]);
	rev = $state.raw(0);
	loaded = $state.raw(false); // a complete state arrived at least once
	now = $state.raw(Date.now()); // on the server's clock, once a second
	silentMs = $state.raw(0); // how long an open connection has not answered a ping; 0 while it does

	#browser: Browser;
	#timeouts: SilenceTimeouts;
	#subscribers = new Map<string, (params: unknown) => void>();
	#socket: Socket | null = null;
	#awaitingState = true; // the next state message is the complete state
	#patch: Partial<State> | null = null;
	#patchRev = 0;
	#flushTimer: ReturnType<typeof setTimeout> | undefined;
	#openTimer: ReturnType<typeof setTimeout> | undefined;
	#retryTimer: ReturnType<typeof setTimeout> | undefined;
	#tickTimer: ReturnType<typeof setInterval> | undefined;
	#backoff: Backoff;
	#lastHeard = 0;
	#tokenRefusal = ''; // why the login link was not accepted
	#version = ''; // of the server that served this page
	#pinged = false;
	#lastId = 0;
	#clockOffset = 0; // the server's clock minus ours, in milliseconds
	#unanswered = new Map<number, { done: Done; timer: ReturnType<typeof setTimeout> }>();

	constructor(browser: Browser, timeouts = usual) {
		this.#browser = browser;
		this.#timeouts = timeouts;
		this.#backoff = newBackoff(250, 5000, browser.random);
	}

	/** Whether the connection is up: otherwise nothing may look live. */
	get up(): boolean {
		return this.connection.state === 'up';
	}

	/** Whether the server runs another version now than when it served this page. */
	get outdated(): boolean {
		return this.up && this.state.show.version !== this.#version;
	}

	/** Commands that failed and have not been dismissed. */
	get failures(): SentCommand[] {
		return this.commands.filter((c) => !c.quiet && (c.state === 'refused' || c.state === 'unknown'));
	}

	/** Connects, after logging in with the token of a login link if there is one. */
	async start(token = '') {
		this.#tickTimer ??= setInterval(() => this.#tick(), 1000);
		// A token that is no longer valid matters only if there is no session either.
		this.#tokenRefusal = token ? await this.#exchange(token) : '';
		this.#connect();
	}

	stop() {
		clearInterval(this.#tickTimer);
		this.#tickTimer = undefined;
		this.#drop();
		clearTimeout(this.#retryTimer);
	}

	/** Whether our role allows a command. */
	may(method: Command): boolean {
		return roles.indexOf(this.you.role) >= roles.indexOf(least[method]);
	}

	/** Why a command can't be sent now; '' when it can. */
	blocked(method: Command): string {
		if (!this.up) return noConnection;
		return this.may(method) ? '' : `Your role is ${this.you.role}; this needs the role ${least[method]}.`;
	}

	/** Whether a command waits for its answer; only the given parameters are compared. */
	pending(method: Command, match: Record<string, unknown> = {}): boolean {
		return this.commands.some(
			(c) =>
				c.state === 'pending' &&
				c.method === method &&
				Object.entries(match).every(([k, v]) => (c.params as Record<string, unknown>)[k] === v),
		);
	}

	/** Sends a command. Nothing has changed before the state says so. */
	async send<C extends Command>(
		method: C,
		params: Commands[C]['args'],
		about: string = method,
		quiet = false,
	): Promise<Outcome<C>> {
		const id = ++this.#lastId;
		// An effect that sends must not run again because it sent.
		this.commands = [
			...untrack(() => this.commands).slice(-historyLength),
			{ id, method, params, about, state: 'pending', message: '', at: Date.now(), quiet },
		];
		const socket = this.#socket;
		if (!socket || !this.up) {
			const message = 'Not sent: no connection to the server.';
			this.#settle(id, 'refused', message);
			return { ok: false, unknown: false, message };
		}
		const answer = await new Promise<Parameters<Done>[0]>((done) => {
			const timer = setTimeout(() => this.#markUnknown(id, 'No answer from the server yet.'), answerTimeout);
			this.#unanswered.set(id, { done, timer });
			socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
		});
		if ('unknown' in answer) return { ok: false, unknown: true, message: answer.unknown };
		if (!answer.error) return { ok: true, result: answer.result as Commands[C]['result'] };
		return { ok: false, unknown: answer.error.data?.code === 'timeout', message: answer.error.message };
	}

	/** Calls take with every notification of this name, until null takes its place. */
	subscribe(method: string, take: ((params: unknown) => void) | null) {
		if (take) this.#subscribers.set(method, take);
		else this.#subscribers.delete(method);
	}

	/** Checks the connection now: a page that was suspended must not show an old state. */
	check() {
		this.#tick();
		this.retry();
	}

	dismiss(id: number) {
		this.commands = this.commands.filter((c) => c.id !== id || c.state === 'pending');
	}

	/** Logs in with a token; connection.reason says why when that fails. */
	async login(token: string) {
		const reason = await this.#exchange(token);
		if (reason) this.#needLogin(reason);
		else this.#connect();
	}

	async #exchange(token: string): Promise<string> {
		try {
			const body = JSON.stringify({ token });
			const answer = await this.#browser.fetch('/api/v1/login', {
				method: 'POST',
				headers: { 'Content-Type': 'application/json' },
				body,
			});
			if (answer.ok) return '';
			if (answer.status === 429) return 'Too many attempts. Wait a moment.';
			return answer.status === 401 || answer.status === 403
				? 'This token is not valid.'
				: `The server answered ${answer.status}.`;
		} catch {
			return 'The server is not responding.';
		}
	}

	/** Reconnects now, without waiting for the next attempt. */
	retry() {
		if (this.connection.state === 'lost' && this.connection.retryAt !== 0) this.#connect();
	}

	#needLogin(reason: string) {
		this.#drop();
		clearTimeout(this.#retryTimer);
		const ended = this.loaded ? 'Your access was revoked or has expired. Ask for a new link.' : '';
		this.connection = { state: 'login', since: Date.now(), reason: reason || ended };
	}

	#connect() {
		clearTimeout(this.#retryTimer);
		this.#drop();
		const lost = this.connection.state === 'lost' ? this.connection.since : 0;
		this.connection = lost ? { state: 'lost', since: lost, retryAt: 0 } : { state: 'connecting', since: Date.now() };
		const socket = this.#browser.open();
		this.#socket = socket;
		this.#awaitingState = true;
		this.#openTimer = setTimeout(() => this.#lost(socket), openTimeout);
		socket.onopen = () => (this.#lastHeard = Date.now());
		socket.onmessage = (e) => this.#receive(socket, e.data);
		socket.onclose = () => this.#lost(socket);
	}

	#drop() {
		const socket = this.#socket;
		this.#socket = null;
		this.silentMs = 0;
		clearTimeout(this.#openTimer);
		clearTimeout(this.#flushTimer);
		this.#flushTimer = undefined;
		this.#patch = null;
		if (socket) {
			socket.onopen = socket.onmessage = socket.onclose = null;
			socket.close();
		}
		for (const id of [...this.#unanswered.keys()]) {
			this.#markUnknown(
				id,
				'The connection was lost before the server answered. Check the panel before you try again.',
			);
			this.#unanswered.delete(id);
		}
	}

	#lost(socket: Socket, since = Date.now()) {
		if (socket !== this.#socket) return;
		const never = this.#awaitingState;
		this.#drop();
		const wait = this.#backoff.next();
		this.connection = {
			state: 'lost',
			since: this.connection.state === 'lost' ? this.connection.since : since,
			retryAt: Date.now() + wait,
		};
		this.#retryTimer = setTimeout(() => this.#connect(), wait);
		if (never) void this.#checkSession();
	}

	// A browser does not report why a websocket was refused: ask over HTTP.
	async #checkSession() {
		try {
			const answer = await this.#browser.fetch('/api/v1/state');
			if (answer.status === 401 && this.connection.state !== 'up') this.#needLogin(this.#tokenRefusal);
		} catch {
			// the server is unreachable: the reconnect timer is running
		}
	}

	// Times in the state are by the server's clock, so their age is counted by that clock.
	async #readClock() {
		try {
			const answer = await this.#browser.fetch('/healthz', { method: 'HEAD' });
			const date = Date.parse(answer.headers.get('Date') ?? '');
			// The header has whole seconds: a small difference is rounding.
			if (!Number.isNaN(date)) this.#clockOffset = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
		} catch {
			// read again with the next connection
		}
	}

	#tick() {
		this.now = Date.now() + this.#clockOffset;
		if (!this.#socket || !this.up) return;
		const silent = Date.now() - this.#lastHeard;
		this.silentMs = this.#pinged && silent > this.#timeouts.stale ? silent : 0;
		if (silent > this.#timeouts.lost)
			this.#lost(this.#socket, this.#lastHeard); // the state is old since then
		else if (silent > this.#timeouts.ping && !this.#pinged) {
			this.#pinged = true;
			this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'ping' })); // any answer proves that it lives
		}
	}

	#receive(socket: Socket, data: unknown) {
		if (socket !== this.#socket) return;
		this.#lastHeard = Date.now();
		this.#pinged = false;
		this.silentMs = 0;
		let message: Message;
		try {
			message = JSON.parse(String(data));
		} catch {
			return this.#lost(socket);
		}
		if (message.method === 'state' && message.params) this.#apply(message.params);
		else if (message.method) this.#subscribers.get(message.method)?.(message.params);
		else if (message.id) this.#answer(message.id, message);
	}

	// Sections that arrive close together are applied together: one redraw, not one per message.
	#apply({ rev, sections, you }: StateMessage) {
		if (this.#awaitingState) {
			this.#awaitingState = false;
			this.#backoff.reset();
			clearTimeout(this.#openTimer);
			this.state = { ...empty, ...sections };
			this.rev = rev;
			this.loaded = true;
			this.#version ||= this.state.show.version;
			this.connection = { state: 'up', since: Date.now() };
			this.now = Date.now() + this.#clockOffset;
			if (you) this.you = you;
			void this.#readClock();
			return;
		}
		this.#patch = { ...this.#patch, ...sections };
		this.#patchRev = rev;
		this.#flushTimer ??= setTimeout(() => {
			this.#flushTimer = undefined;
			this.state = { ...this.state, ...this.#patch };
			this.rev = this.#patchRev;
			this.#patch = null;
		}, coalesce);
	}

	#answer(id: number, message: Message) {
		const waiting = this.#unanswered.get(id);
		if (!waiting) return;
		clearTimeout(waiting.timer);
		this.#unanswered.delete(id);
		const bad = message.error?.data?.code === 'timeout' ? 'unknown' : 'refused';
		this.#settle(id, message.error ? bad : 'confirmed', message.error?.message ?? '');
		waiting.done(message);
	}

	// The answer may still arrive: then the command is confirmed or refused after all.
	#markUnknown(id: number, message: string) {
		this.#settle(id, 'unknown', message);
		const waiting = this.#unanswered.get(id);
		clearTimeout(waiting?.timer);
		waiting?.done({ unknown: message });
	}

	#settle(id: number, state: SentCommand['state'], message: string) {
		this.commands = untrack(() => this.commands).map((c) => (c.id === id ? { ...c, state, message } : c));
	}
}

/** The studio that this page controls. */
export const studio = new Studio({
	open: () => socket(),
	fetch: (path, init) => fetch(path, init),
	random: Math.random,
});

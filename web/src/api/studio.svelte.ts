// The studio as the server says it is. Only this file knows that there is a
// websocket: components read studio.state and call studio.send.
import { untrack } from 'svelte';
import { Backoff } from './backoff';
import { socket } from './login';
import { least, roles, type Command, type Commands, type State, type StateMessage, type You } from './protocol.gen';
import { empty, type Asked, type Browser, type Link, type Outcome, type Patience, type Socket } from './types';

/** What comes over the wire: a notification, or an answer. */
interface Message {
	id?: number;
	method?: string;
	params?: StateMessage; // of "state"; other notifications have their own
	result?: unknown;
	error?: { message: string; data?: { code?: string } };
}

type Done = (message: Message | { unknown: string }) => void;

const usual: Patience = { quiet: 2000, doubt: 3500, dead: 8000 };
const openTimeout = 5000;
const answerTimeout = 6000; // after it a command is unknown, though an answer still counts
const coalesce = 16;
const kept = 40; // commands remembered

export class Studio {
	state = $state.raw<State>(empty);
	link = $state.raw<Link>({ state: 'connecting', since: Date.now() });
	you = $state.raw<You>({ name: '', role: 'viewer' });
	commands = $state.raw<Asked[]>([]);
	rev = $state.raw(0);
	known = $state.raw(false); // a whole state came at least once
	now = $state.raw(Date.now()); // on the server's clock, once a second
	silent = $state.raw(0); // for so many milliseconds a link that is up said nothing, not even when asked; 0 while all is well

	#browser: Browser;
	#patience: Patience;
	#notices = new Map<string, (params: unknown) => void>();
	#socket: Socket | null = null;
	#fresh = true; // the next state message is the whole one
	#patch: Partial<State> | null = null;
	#patchRev = 0;
	#flushing: ReturnType<typeof setTimeout> | undefined;
	#opening: ReturnType<typeof setTimeout> | undefined;
	#retrying: ReturnType<typeof setTimeout> | undefined;
	#ticking: ReturnType<typeof setInterval> | undefined;
	#backoff: Backoff;
	#heard = 0;
	#why = ''; // the login link was no good
	#version = ''; // of the server that this page came from
	#asked = false; // a sign of life was asked for
	#lastId = 0;
	#skew = 0; // of the server's clock against ours, milliseconds
	#waiting = new Map<number, { done: Done; timer: ReturnType<typeof setTimeout> }>();

	constructor(browser: Browser, patience = usual) {
		this.#browser = browser;
		this.#patience = patience;
		this.#backoff = new Backoff(250, 5000, browser.random);
	}

	/** Whether the link is up: what is not up must not look live. */
	get up(): boolean {
		return this.link.state === 'up';
	}

	/** Whether the server is another version by now than the one this page came from. */
	get outdated(): boolean {
		return this.up && this.state.show.version !== this.#version;
	}

	/** Commands that went wrong and that nobody has seen to yet. */
	get troubles(): Asked[] {
		return this.commands.filter((c) => !c.quiet && (c.state === 'refused' || c.state === 'unknown'));
	}

	/** Begins, with the token of a login link when there is one. */
	async start(token = '') {
		this.#ticking ??= setInterval(() => this.#tick(), 1000);
		// A token that is no good any more matters only if there is no session either.
		this.#why = token ? await this.#exchange(token) : '';
		this.#connect();
	}

	stop() {
		clearInterval(this.#ticking);
		this.#ticking = undefined;
		this.#drop();
		clearTimeout(this.#retrying);
	}

	/** Whether our role may give a command. */
	may(method: Command): boolean {
		return roles.indexOf(this.you.role) >= roles.indexOf(least[method]);
	}

	/** Why a command can't be given now, in words; '' when it can. */
	barred(method: Command): string {
		if (!this.up) return 'There is no connection to the server.';
		return this.may(method) ? '' : `Your role is ${this.you.role}: this takes the role ${least[method]}.`;
	}

	/** Whether a command is on its way; of its parameters only those given count. */
	asked(method: Command, match: Record<string, unknown> = {}): boolean {
		return this.commands.some(
			(c) =>
				c.state === 'asked' &&
				c.method === method &&
				Object.entries(match).every(([k, v]) => (c.params as Record<string, unknown>)[k] === v),
		);
	}

	/** Asks the server for a command. Nothing has happened before the state says so. */
	async send<C extends Command>(
		method: C,
		params: Commands[C]['args'],
		about: string = method,
		quiet = false,
	): Promise<Outcome<C>> {
		const id = ++this.#lastId;
		// An effect that sends must not run again for having sent.
		this.commands = [
			...untrack(() => this.commands).slice(-kept),
			{ id, method, params, about, state: 'asked', message: '', at: Date.now(), quiet },
		];
		const socket = this.#socket;
		if (!socket || !this.up) {
			const message = 'There is no connection to the server, so it was not sent.';
			this.#settle(id, 'refused', message);
			return { ok: false, unknown: false, message };
		}
		const answer = await new Promise<Parameters<Done>[0]>((done) => {
			const timer = setTimeout(() => this.#unknown(id, 'The server has not answered yet.'), answerTimeout);
			this.#waiting.set(id, { done, timer });
			socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
		});
		if ('unknown' in answer) return { ok: false, unknown: true, message: answer.unknown };
		if (!answer.error) return { ok: true, result: answer.result as Commands[C]['result'] };
		return { ok: false, unknown: answer.error.data?.code === 'timeout', message: answer.error.message };
	}

	/** Hands every notification of this name to take; null ends that. */
	notice(method: string, take: ((params: unknown) => void) | null) {
		if (take) this.#notices.set(method, take);
		else this.#notices.delete(method);
	}

	/** Looks at the link now: a page that was asleep must not show what was. */
	check() {
		this.#tick();
		this.retry();
	}

	dismiss(id: number) {
		this.commands = this.commands.filter((c) => c.id !== id || c.state === 'asked');
	}

	/** Enters with a token; the link says why when that fails. */
	async login(token: string) {
		const why = await this.#exchange(token);
		if (why) this.#needLogin(why);
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
			if (answer.status === 429) return 'Too many tries. Wait a little.';
			return answer.status === 401 || answer.status === 403
				? 'The server does not know this token.'
				: `The server answered ${answer.status}.`;
		} catch {
			return 'The server does not answer.';
		}
	}

	/** Tries the link now, not when its time comes. */
	retry() {
		if (this.link.state === 'lost' && this.link.retryAt !== 0) this.#connect();
	}

	#needLogin(why: string) {
		this.#drop();
		clearTimeout(this.#retrying);
		const gone = this.known ? 'Your access has ended: it was taken away, or it ran out. Ask for a new link.' : '';
		this.link = { state: 'login', since: Date.now(), why: why || gone };
	}

	#connect() {
		clearTimeout(this.#retrying);
		this.#drop();
		const lost = this.link.state === 'lost' ? this.link.since : 0;
		this.link = lost ? { state: 'lost', since: lost, retryAt: 0 } : { state: 'connecting', since: Date.now() };
		const socket = this.#browser.open();
		this.#socket = socket;
		this.#fresh = true;
		this.#opening = setTimeout(() => this.#broke(socket), openTimeout);
		socket.onopen = () => (this.#heard = Date.now());
		socket.onmessage = (e) => this.#hear(socket, e.data);
		socket.onclose = () => this.#broke(socket);
	}

	#drop() {
		const socket = this.#socket;
		this.#socket = null;
		this.silent = 0;
		clearTimeout(this.#opening);
		clearTimeout(this.#flushing);
		this.#flushing = undefined;
		this.#patch = null;
		if (socket) {
			socket.onopen = socket.onmessage = socket.onclose = null;
			socket.close();
		}
		for (const id of [...this.#waiting.keys()]) {
			this.#unknown(
				id,
				'The link broke before the server answered. Look at what the panel shows before you ask again.',
			);
			this.#waiting.delete(id);
		}
	}

	#broke(socket: Socket, since = Date.now()) {
		if (socket !== this.#socket) return;
		const never = this.#fresh;
		this.#drop();
		const wait = this.#backoff.next();
		this.link = {
			state: 'lost',
			since: this.link.state === 'lost' ? this.link.since : since,
			retryAt: Date.now() + wait,
		};
		this.#retrying = setTimeout(() => this.#connect(), wait);
		if (never) void this.#whyRefused();
	}

	// A browser does not tell why a websocket was refused: ask the door beside it.
	async #whyRefused() {
		try {
			const answer = await this.#browser.fetch('/api/v1/state');
			if (answer.status === 401 && this.link.state !== 'up') this.#needLogin(this.#why);
		} catch {
			// the server is away: the link's own retry goes on
		}
	}

	// Times in the state are the server's: show how long ago they were by its clock.
	async #readClock() {
		try {
			const answer = await this.#browser.fetch('/healthz', { method: 'HEAD' });
			const date = Date.parse(answer.headers.get('Date') ?? '');
			// The header is in whole seconds: a small difference is only its rounding.
			if (!Number.isNaN(date)) this.#skew = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
		} catch {
			// read again with the next connection
		}
	}

	#tick() {
		this.now = Date.now() + this.#skew;
		if (!this.#socket || !this.up) return;
		const silent = Date.now() - this.#heard;
		this.silent = this.#asked && silent > this.#patience.doubt ? silent : 0;
		if (silent > this.#patience.dead)
			this.#broke(this.#socket, this.#heard); // since then it is old
		else if (silent > this.#patience.quiet && !this.#asked) {
			this.#asked = true;
			this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'ping' })); // any answer will do
		}
	}

	#hear(socket: Socket, data: unknown) {
		if (socket !== this.#socket) return;
		this.#heard = Date.now();
		this.#asked = false;
		this.silent = 0;
		let message: Message;
		try {
			message = JSON.parse(String(data));
		} catch {
			return this.#broke(socket);
		}
		if (message.method === 'state' && message.params) this.#take(message.params);
		else if (message.method) this.#notices.get(message.method)?.(message.params);
		else if (message.id) this.#answer(message.id, message);
	}

	// Sections that come close together are shown together: one drawing, not one a message.
	#take({ rev, sections, you }: StateMessage) {
		if (this.#fresh) {
			this.#fresh = false;
			this.#backoff.reset();
			clearTimeout(this.#opening);
			this.state = { ...empty, ...sections };
			this.rev = rev;
			this.known = true;
			this.#version ||= this.state.show.version;
			this.link = { state: 'up', since: Date.now() };
			this.now = Date.now() + this.#skew;
			if (you) this.you = you;
			void this.#readClock();
			return;
		}
		this.#patch = { ...this.#patch, ...sections };
		this.#patchRev = rev;
		this.#flushing ??= setTimeout(() => {
			this.#flushing = undefined;
			this.state = { ...this.state, ...this.#patch };
			this.rev = this.#patchRev;
			this.#patch = null;
		}, coalesce);
	}

	#answer(id: number, message: Message) {
		const waiting = this.#waiting.get(id);
		if (!waiting) return;
		clearTimeout(waiting.timer);
		this.#waiting.delete(id);
		const bad = message.error?.data?.code === 'timeout' ? 'unknown' : 'refused';
		this.#settle(id, message.error ? bad : 'confirmed', message.error?.message ?? '');
		waiting.done(message);
	}

	// The answer may still come: then the command is confirmed or refused after all.
	#unknown(id: number, message: string) {
		this.#settle(id, 'unknown', message);
		const waiting = this.#waiting.get(id);
		clearTimeout(waiting?.timer);
		waiting?.done({ unknown: message });
	}

	#settle(id: number, state: Asked['state'], message: string) {
		this.commands = untrack(() => this.commands).map((c) => (c.id === id ? { ...c, state, message } : c));
	}
}

/** The studio of this page. */
export const studio = new Studio({
	open: () => socket(),
	fetch: (path, init) => fetch(path, init),
	random: Math.random,
});

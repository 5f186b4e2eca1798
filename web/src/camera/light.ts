// This camera's tally light: an endless response of JSON lines. When none arrives, no light
// is shown: it might be on program.
import { newBackoff } from '../api/backoff';

export interface TallyLight {
	known: boolean;
	name: string;
	tally: '' | 'preview' | 'program' | 'both';
	live: boolean; // the show is
	notes: string[];
}

export const noLight: TallyLight = { known: false, name: '', tally: '', live: false, notes: [] };

const silentFor = 5000; // the server sends a line every two seconds
const retryAfter = 1000;

export interface Net {
	fetch(path: string, init: RequestInit): Promise<Response>;
}

export class LightReader {
	#path: string;
	#key: string;
	#changed: (l: TallyLight) => void;
	#net: Net;
	#abort: AbortController | null = null;
	#deadline: ReturnType<typeof setTimeout> | undefined;
	#retry: ReturnType<typeof setTimeout> | undefined;
	#backoff = newBackoff(retryAfter, retryAfter); // constant: someone is waiting for the light
	#light = noLight;

	constructor(path: string, key: string, changed: (l: TallyLight) => void, net: Net) {
		this.#path = path;
		this.#key = key;
		this.#changed = changed;
		this.#net = net;
	}

	start() {
		this.stop();
		void this.#listen();
	}

	stop() {
		clearTimeout(this.#retry);
		clearTimeout(this.#deadline);
		this.#abort?.abort();
		this.#abort = null;
	}

	async #listen() {
		const abort = new AbortController();
		this.#abort = abort;
		this.#expectData(abort);
		try {
			const headers: Record<string, string> = this.#key ? { Authorization: `Bearer ${this.#key}` } : {};
			const answer = await this.#net.fetch(this.#path, { headers, signal: abort.signal, cache: 'no-store' });
			if (answer.ok && answer.body) await this.#read(answer.body, abort);
		} catch {
			// retried below
		}
		if (abort !== this.#abort) return;
		clearTimeout(this.#deadline);
		this.#markUnknown();
		this.#retry = setTimeout(() => void this.#listen(), this.#backoff.next());
	}

	async #read(body: ReadableStream<Uint8Array>, abort: AbortController) {
		const reader = body.getReader();
		const text = new TextDecoder();
		for (let rest = ''; ;) {
			const { value, done } = await reader.read();
			if (done || abort !== this.#abort) return;
			const lines = (rest + text.decode(value, { stream: true })).split('\n');
			rest = lines.pop() ?? '';
			for (const line of lines) this.#receive(line);
			this.#expectData(abort);
		}
	}

	#receive(line: string) {
		const { unknown, ...light } = JSON.parse(line) as Partial<TallyLight> & { unknown?: boolean };
		this.#light = { ...noLight, notes: [], ...light, known: !unknown };
		this.#changed(this.#light);
	}

	#expectData(abort: AbortController) {
		clearTimeout(this.#deadline);
		this.#deadline = setTimeout(() => {
			this.#markUnknown();
			abort.abort();
		}, silentFor);
	}

	#markUnknown() {
		if (!this.#light.known) return;
		this.#light = { ...this.#light, known: false };
		this.#changed(this.#light);
	}
}

// STUN and TURN servers, as the studio names them in Link headers (RFC 9725, 4.6).

/** The ice-server links of a Link header; other links are left out. */
export function iceServers(header: string | null): RTCIceServer[] {
	const servers: RTCIceServer[] = [];
	for (const [, url, rest] of (header ?? '').matchAll(/<([^>]*)>([^<]*)/g)) {
		if (!url || rest === undefined || !/;\s*rel="?ice-server"?\s*(;|,|$)/i.test(rest)) continue;
		if (!/^(stun|turn)s?:/i.test(url)) continue;
		const server: RTCIceServer = { urls: url };
		const username = parameter(rest, 'username');
		const credential = parameter(rest, 'credential');
		if (username !== undefined) server.username = username;
		if (credential !== undefined) server.credential = credential;
		servers.push(server);
	}
	return servers;
}

function parameter(text: string, name: string): string | undefined {
	const found = new RegExp(`;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`, 'i').exec(text)?.[1];
	return found?.replace(/\\(.)/g, '$1');
}

const validFor = 30 * 60_000; // passwords of TURN servers expire

/** Asks the studio for its servers, once for all players of this page. */
export class IceServers {
	#path: string;
	#fetch: (path: string, init: RequestInit) => Promise<Response>;
	#known: Promise<RTCIceServer[]> | null = null;
	#at = 0;

	constructor(path: string, fetch: (path: string, init: RequestInit) => Promise<Response>) {
		this.#path = path;
		this.#fetch = fetch;
	}

	get(): Promise<RTCIceServer[]> {
		if (!this.#known || Date.now() - this.#at > validFor) {
			this.#at = Date.now();
			this.#known = this.#fetch(this.#path, { method: 'OPTIONS' })
				.then((answer) => iceServers(answer.headers.get('Link')))
				.catch(() => {
					this.#known = null; // the server is unreachable: the next player asks again
					return [];
				});
		}
		return this.#known;
	}
}

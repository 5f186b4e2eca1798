// A WHEP player (draft-ietf-wish-whep): one peer connection for one stream. It dials,
// dials again when the picture is gone, and says in words how it fares.

/** How a player fares. */
export interface Playing {
	state: 'off' | 'connecting' | 'playing' | 'waiting' | 'refused';
	why: string; // in words, when it does not play
	media: MediaStream | null;
	sound: boolean;
}

export const off: Playing = { state: 'off', why: '', media: null, sound: false };

const connectTimeout = 8000;
const brokenFor = 2000; // "disconnected" often heals by itself
const stuckAfter = 4000; // a fresh connection gets time to show something
const firstWait = 300;
const longestWait = 5000;

/** What the player needs of the browser; tests bring their own. */
export interface Net {
	peer(): RTCPeerConnection;
	fetch(path: string, init: RequestInit): Promise<Response>;
	random(): number;
}

export const browserNet: Net = {
	peer: () => new RTCPeerConnection({ bundlePolicy: 'max-bundle' }),
	fetch: (path, init) => fetch(path, init),
	random: Math.random,
};

export class WhepPlayer {
	#url: string;
	#changed: (p: Playing) => void;
	#net: Net;
	#peer: RTCPeerConnection | null = null;
	#session = ''; // the server's name for this viewing, to end it by
	#abort: AbortController | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#attempt = 0;
	#since = 0; // of playing; 0 while it does not
	#closed = false;

	constructor(url: string, changed: (p: Playing) => void, net: Net = browserNet) {
		this.#url = url;
		this.#changed = changed;
		this.#net = net;
	}

	/** Dials at once, from whatever state it is in. */
	start() {
		this.#closed = false;
		void this.#dial();
	}

	/** Ends the viewing and says so to the server. */
	stop() {
		this.#closed = true;
		this.#hangUp();
		this.#changed(off);
	}

	/** The picture stands still although the connection is up: begin anew. */
	stuck() {
		if (!this.#closed && this.#since > 0 && Date.now() - this.#since > stuckAfter) this.#again('The picture stood still.');
	}

	async #dial() {
		this.#hangUp();
		this.#changed({ state: 'connecting', why: '', media: null, sound: false });
		const peer = this.#net.peer();
		const abort = new AbortController();
		this.#peer = peer;
		this.#abort = abort;
		this.#timer = setTimeout(() => this.#again('The server does not answer.'), connectTimeout);
		this.#watch(peer);
		try {
			peer.addTransceiver('video', { direction: 'recvonly' });
			peer.addTransceiver('audio', { direction: 'recvonly' });
			await peer.setLocalDescription(await peer.createOffer());
			if (peer !== this.#peer) return;
			// The offer goes out without candidates: the server learns ours when we call it.
			const answer = await this.#post(peer.localDescription?.sdp ?? '', abort.signal);
			if (peer !== this.#peer || answer === null) return;
			await peer.setRemoteDescription({ type: 'answer', sdp: answer });
		} catch {
			if (peer === this.#peer) this.#again('The server does not answer.');
		}
	}

	async #post(sdp: string, signal: AbortSignal): Promise<string | null> {
		const answer = await this.#net.fetch(this.#url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: sdp, signal });
		const text = await answer.text();
		const session = answer.headers.get('Location') ?? '';
		if (signal.aborted) {
			this.#end(session);
			return null;
		}
		if (!answer.ok) {
			this.#again(refusal(answer.status, text), answer.status === 415 || answer.status === 406);
			return null;
		}
		this.#session = session;
		return text;
	}

	#watch(peer: RTCPeerConnection) {
		let media: MediaStream | null = null;
		const tell = () => {
			if (peer !== this.#peer || peer.connectionState !== 'connected' || !media) return;
			clearTimeout(this.#timer);
			this.#attempt = 0;
			this.#since ||= Date.now();
			this.#changed({ state: 'playing', why: '', media, sound: media.getAudioTracks().some((t) => !t.muted) });
		};
		peer.ontrack = (e) => {
			// The server may send each track in a stream of its own: one picture has them all.
			media = media ? new MediaStream([...media.getTracks(), e.track]) : new MediaStream([e.track]);
			e.track.onmute = e.track.onunmute = tell; // a sound that is agreed on need not come
			tell();
		};
		peer.onconnectionstatechange = () => {
			if (peer !== this.#peer) return;
			if (peer.connectionState === 'connected') tell();
			if (peer.connectionState === 'failed' || peer.connectionState === 'closed') this.#again('The connection for this picture broke.');
			if (peer.connectionState === 'disconnected') {
				clearTimeout(this.#timer);
				this.#timer = setTimeout(() => this.#again('The connection for this picture broke.'), brokenFor);
			}
		};
	}

	#again(why: string, refused = false) {
		this.#hangUp();
		if (this.#closed) return;
		const wait = Math.min(longestWait, firstWait * 2 ** this.#attempt++) * (0.75 + this.#net.random() / 2);
		this.#changed({ state: refused ? 'refused' : 'waiting', why, media: null, sound: false });
		this.#timer = setTimeout(() => void this.#dial(), refused ? longestWait : wait);
	}

	#hangUp() {
		this.#since = 0;
		clearTimeout(this.#timer);
		this.#abort?.abort();
		this.#abort = null;
		const peer = this.#peer;
		this.#peer = null;
		peer?.close();
		this.#end(this.#session);
		this.#session = '';
	}

	#end(session: string) {
		// keepalive: also when the page is being left.
		if (session) void this.#net.fetch(session, { method: 'DELETE', keepalive: true }).catch(() => {});
	}
}

export function refusal(status: number, text: string): string {
	const said = text.trim();
	if (said && said.length < 200 && !/^[<{]/.test(said)) return said;
	if (said.startsWith('{')) {
		const message = (JSON.parse(said) as { error?: { message?: string } }).error?.message;
		if (message) return message;
	}
	if (status === 404) return 'There is no such picture now.';
	if (status === 401 || status === 403) return 'You may not see this picture.';
	if (status === 503) return 'The server has too many viewers.';
	return `The server answered ${status}.`;
}

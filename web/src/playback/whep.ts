// A WHEP player (draft-ietf-wish-whep): one peer connection for one stream. It connects,
// reconnects when the video stops, and reports its state.
import { newBackoff, type Backoff } from '../api/backoff';
import { IceServers } from '../api/ice';

export interface PlayerState {
	state: 'off' | 'connecting' | 'playing' | 'waiting' | 'refused';
	reason: string; // why it does not play
	media: MediaStream | null;
	hasAudio: boolean;
}

export const off: PlayerState = { state: 'off', reason: '', media: null, hasAudio: false };

const connectTimeout = 8000;
const disconnectedFor = 2000; // "disconnected" often recovers without a new connection
const stuckAfter = 4000; // a new connection gets time to show something
const firstWait = 300;
const longestWait = 5000;

/** What the player needs of the browser; tests bring their own. */
export interface Net {
	servers(): Promise<RTCIceServer[]>; // STUN and TURN
	peer(iceServers: RTCIceServer[]): RTCPeerConnection;
	fetch(path: string, init: RequestInit): Promise<Response>;
	random(): number;
}

const studioServers = new IceServers('/whep/program', (path, init) => fetch(path, init)); // one list for the page

export const browserNet: Net = {
	servers: () => studioServers.get(),
	peer: (iceServers) => new RTCPeerConnection({ bundlePolicy: 'max-bundle', iceServers }),
	fetch: (path, init) => fetch(path, init),
	random: Math.random,
};

/** One WHEP session. */
class Session {
	peer: RTCPeerConnection | null = null; // until the STUN and TURN servers are known
	readonly abort = new AbortController();
	readonly hasAudio: boolean; // it was requested
	tracks: MediaStreamTrack[] = [];
	url = ''; // of the session at the server, to delete it
	timer: ReturnType<typeof setTimeout> | undefined;

	constructor(hasAudio: boolean) {
		this.hasAudio = hasAudio;
	}

	get playing(): boolean {
		return this.peer?.connectionState === 'connected' && this.tracks.some((t) => t.kind === 'video');
	}
}

export class WhepPlayer {
	#url: string;
	#changed: (p: PlayerState) => void;
	#net: Net;
	#now: Session | null = null; // what is shown, or connects
	#next: Session | null = null; // replaces it once it plays
	#media: MediaStream | null = null; // one for all sessions in turn, so that the video does not flicker
	#timer: ReturnType<typeof setTimeout> | undefined;
	#backoff: Backoff;
	#playingSince = 0; // 0 while it does not play
	#wantsAudio = false;
	#closed = true;

	constructor(url: string, changed: (p: PlayerState) => void, net: Net = browserNet) {
		this.#url = url;
		this.#changed = changed;
		this.#net = net;
		this.#backoff = newBackoff(firstWait, longestWait, net.random);
	}

	/** Connects at once, from any state. */
	start() {
		this.#closed = false;
		this.#restart();
	}

	/** Ends the session, also at the server. */
	stop() {
		this.#closed = true;
		this.#hangUp();
		this.#changed(off);
	}

	/** The video is frozen although the connection is up: reconnect. */
	stuck() {
		if (!this.#closed && this.#playingSince > 0 && Date.now() - this.#playingSince > stuckAfter)
			this.#reconnect('The video was frozen.');
	}

	/** Frames decoded since this connection began, null where the browser does not report it. */
	async decoded(): Promise<number | null> {
		let frames: number | null = null;
		(await this.#now?.peer?.getStats())?.forEach((s: { type: string; kind?: string; framesDecoded?: number }) => {
			if (s.type === 'inbound-rtp' && s.kind === 'video') frames = s.framesDecoded ?? null;
		});
		return frames;
	}

	/** Audio is requested only while someone listens: it costs the server work, and delays the video. */
	listen(on: boolean) {
		if (on === this.#wantsAudio) return;
		this.#wantsAudio = on;
		if (this.#closed || !this.#now) return; // the next session requests it
		if (this.#playingSince === 0) return this.#restart();
		this.#drop(this.#next);
		this.#next = null;
		if (this.#now.hasAudio !== on) void this.#connect((this.#next = new Session(on)));
	}

	#restart() {
		this.#hangUp();
		this.#changed({ ...off, state: 'connecting' });
		void this.#connect((this.#now = new Session(this.#wantsAudio)));
	}

	#current(v: Session): boolean {
		return v === this.#now || v === this.#next;
	}

	async #connect(v: Session) {
		v.timer = setTimeout(() => this.#lost(v, 'The server is not responding.'), connectTimeout);
		try {
			const servers = await this.#net.servers();
			if (!this.#current(v)) return;
			const peer = (v.peer = this.#net.peer(servers));
			this.#watch(v, peer);
			peer.addTransceiver('video', { direction: 'recvonly' });
			if (v.hasAudio) peer.addTransceiver('audio', { direction: 'recvonly' });
			const offer = await peer.createOffer();
			await peer.setLocalDescription({ type: 'offer', sdp: stereo(offer.sdp ?? '') });
			if (!this.#current(v)) return;
			// The offer has no candidates: the server learns ours from our STUN checks.
			const answer = await this.#post(v, peer.localDescription?.sdp ?? '');
			if (!this.#current(v) || answer === null) return;
			await peer.setRemoteDescription({ type: 'answer', sdp: answer });
			this.#watchTransport(v, peer);
		} catch {
			this.#lost(v, 'The server is not responding.');
		}
	}

	async #post(v: Session, body: string): Promise<string | null> {
		const answer = await this.#net.fetch(this.#url, {
			method: 'POST',
			headers: { 'Content-Type': 'application/sdp' },
			body,
			signal: v.abort.signal,
		});
		const text = await answer.text();
		v.url = answer.headers.get('Location') ?? '';
		if (!this.#current(v)) {
			this.#drop(v);
			return null;
		}
		if (!answer.ok) {
			v.url = '';
			this.#lost(v, refusal(answer.status, text), answer.status === 415 || answer.status === 406);
			return null;
		}
		return text;
	}

	#watch(v: Session, peer: RTCPeerConnection) {
		peer.ontrack = (e) => {
			v.tracks.push(e.track);
			e.track.onmute = e.track.onunmute = () => this.#reportPlaying(v); // a negotiated audio track may stay silent
			this.#reportPlaying(v);
		};
		peer.onconnectionstatechange = () => {
			if (!this.#current(v)) return;
			const state = peer.connectionState;
			if (state === 'connected') this.#reportPlaying(v);
			if (state === 'failed' || state === 'closed') this.#lost(v, 'The video connection was lost.');
			if (state === 'disconnected') {
				clearTimeout(v.timer);
				v.timer = setTimeout(() => this.#lost(v, 'The video connection was lost.'), disconnectedFor);
			}
		};
	}

	/** When the server ends the session, the transport closes at once, the connection only 6 s later. */
	#watchTransport(v: Session, peer: RTCPeerConnection) {
		const transport = peer.getReceivers()[0]?.transport;
		if (transport) transport.onstatechange = () => transport.state === 'closed' && this.#lost(v, 'The stream ended.');
	}

	#reportPlaying(v: Session) {
		if (!this.#current(v) || !v.playing) return;
		if (v === this.#next && v.tracks.some((t) => t.kind === 'video' && t.muted)) return; // nothing arrived yet
		clearTimeout(v.timer);
		this.#backoff.reset();
		this.#playingSince ||= Date.now();
		const media = (this.#media ??= new MediaStream());
		for (const t of v.tracks) media.addTrack(t);
		if (v === this.#next) {
			const before = this.#now;
			this.#now = v;
			this.#next = null;
			for (const t of before?.tracks ?? []) media.removeTrack(t);
			this.#drop(before);
		}
		this.#changed({
			state: 'playing',
			reason: '',
			media,
			hasAudio: v.tracks.some((t) => t.kind === 'audio' && !t.muted),
		});
	}

	#lost(v: Session, reason: string, refused = false) {
		if (this.#current(v)) this.#reconnect(reason, refused);
	}

	#reconnect(reason: string, refused = false) {
		this.#hangUp();
		if (this.#closed) return;
		const wait = this.#backoff.next();
		this.#changed({ ...off, state: refused ? 'refused' : 'waiting', reason });
		this.#timer = setTimeout(() => this.#restart(), refused ? longestWait : wait);
	}

	#hangUp() {
		this.#playingSince = 0;
		clearTimeout(this.#timer);
		const [now, next] = [this.#now, this.#next];
		this.#now = this.#next = this.#media = null;
		this.#drop(now);
		this.#drop(next);
	}

	#drop(v: Session | null) {
		if (!v) return;
		clearTimeout(v.timer);
		v.abort.abort();
		v.peer?.close();
		// keepalive: also while the page is being closed.
		if (v.url) void this.#net.fetch(v.url, { method: 'DELETE', keepalive: true }).catch(() => {});
		v.url = '';
	}
}

/** Browsers play Opus in mono unless stereo is requested (RFC 7587, 6.1). */
export function stereo(sdp: string): string {
	const opus = /^a=rtpmap:(\d+) opus\//im.exec(sdp)?.[1];
	return opus ? sdp.replace(new RegExp(`^(a=fmtp:${opus} (?!.*stereo=).*?)(\r?)$`, 'm'), '$1;stereo=1$2') : sdp;
}

/** The sentence for a refused WHEP or WHIP request: the server's own where it has one. */
export function refusal(status: number, text: string): string {
	const message = text.trim();
	if (message && message.length < 200 && !/^[<{]/.test(message)) return message;
	if (message.startsWith('{')) {
		const own = (JSON.parse(message) as { error?: { message?: string } }).error?.message;
		if (own) return own;
	}
	if (status === 404) return 'This stream is not available now.';
	if (status === 401 || status === 403) return 'You are not allowed to watch this stream.';
	if (status === 503) return 'Too many viewers are connected to the server.';
	return `The server answered ${status}.`;
}

// A WHEP player (draft-ietf-wish-whep): one peer connection for one stream. It dials,
// dials again when the picture is gone, and says in words how it fares.
import { Backoff } from '../api/backoff';
import { IceServers } from '../api/ice';

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

/** One session with the server. */
class Viewing {
	peer: RTCPeerConnection | null = null; // while the servers are asked for
	readonly abort = new AbortController();
	readonly sound: boolean; // it was asked for
	tracks: MediaStreamTrack[] = [];
	session = ''; // the server's name for it, to end it by
	timer: ReturnType<typeof setTimeout> | undefined;

	constructor(sound: boolean) {
		this.sound = sound;
	}

	get plays(): boolean {
		return this.peer?.connectionState === 'connected' && this.tracks.some((t) => t.kind === 'video');
	}
}

export class WhepPlayer {
	#url: string;
	#changed: (p: Playing) => void;
	#net: Net;
	#now: Viewing | null = null; // what is shown, or will be
	#next: Viewing | null = null; // what takes its place once it plays
	#media: MediaStream | null = null; // one for all that follow each other: the picture does not blink
	#timer: ReturnType<typeof setTimeout> | undefined;
	#backoff: Backoff;
	#since = 0; // of playing; 0 while it does not
	#sound = false;
	#closed = true;

	constructor(url: string, changed: (p: Playing) => void, net: Net = browserNet) {
		this.#url = url;
		this.#changed = changed;
		this.#net = net;
		this.#backoff = new Backoff(firstWait, longestWait, net.random);
	}

	/** Dials at once, from whatever state it is in. */
	start() {
		this.#closed = false;
		this.#begin();
	}

	/** Ends the viewing and says so to the server. */
	stop() {
		this.#closed = true;
		this.#hangUp();
		this.#changed(off);
	}

	/** The picture stands still although the connection is up: begin anew. */
	stuck() {
		if (!this.#closed && this.#since > 0 && Date.now() - this.#since > stuckAfter)
			this.#again('The picture stood still.');
	}

	/** Pictures decoded since this connection began, null where the browser does not tell. */
	async decoded(): Promise<number | null> {
		let pictures: number | null = null;
		(await this.#now?.peer?.getStats())?.forEach((s: { type: string; kind?: string; framesDecoded?: number }) => {
			if (s.type === 'inbound-rtp' && s.kind === 'video') pictures = s.framesDecoded ?? null;
		});
		return pictures;
	}

	/** Sound is asked for only where it is heard: it is work for the server, and holds the picture back. */
	listen(on: boolean) {
		if (on === this.#sound) return;
		this.#sound = on;
		if (this.#closed || !this.#now) return; // the next dial asks
		if (this.#since === 0) return this.#begin();
		this.#drop(this.#next);
		this.#next = null;
		if (this.#now.sound !== on) void this.#dial((this.#next = new Viewing(on)));
	}

	#begin() {
		this.#hangUp();
		this.#changed({ state: 'connecting', why: '', media: null, sound: false });
		void this.#dial((this.#now = new Viewing(this.#sound)));
	}

	#current(v: Viewing): boolean {
		return v === this.#now || v === this.#next;
	}

	async #dial(v: Viewing) {
		v.timer = setTimeout(() => this.#broke(v, 'The server does not answer.'), connectTimeout);
		try {
			const servers = await this.#net.servers();
			if (!this.#current(v)) return;
			const peer = (v.peer = this.#net.peer(servers));
			this.#watch(v, peer);
			peer.addTransceiver('video', { direction: 'recvonly' });
			if (v.sound) peer.addTransceiver('audio', { direction: 'recvonly' });
			const offer = await peer.createOffer();
			await peer.setLocalDescription({ type: 'offer', sdp: stereo(offer.sdp ?? '') });
			if (!this.#current(v)) return;
			// The offer goes out without candidates: the server learns ours when we call it.
			const answer = await this.#post(v, peer.localDescription?.sdp ?? '');
			if (!this.#current(v) || answer === null) return;
			await peer.setRemoteDescription({ type: 'answer', sdp: answer });
			this.#hearTheEnd(v, peer);
		} catch {
			this.#broke(v, 'The server does not answer.');
		}
	}

	async #post(v: Viewing, body: string): Promise<string | null> {
		const answer = await this.#net.fetch(this.#url, {
			method: 'POST',
			headers: { 'Content-Type': 'application/sdp' },
			body,
			signal: v.abort.signal,
		});
		const text = await answer.text();
		v.session = answer.headers.get('Location') ?? '';
		if (!this.#current(v)) {
			this.#drop(v);
			return null;
		}
		if (!answer.ok) {
			v.session = '';
			this.#broke(v, refusal(answer.status, text), answer.status === 415 || answer.status === 406);
			return null;
		}
		return text;
	}

	#watch(v: Viewing, peer: RTCPeerConnection) {
		peer.ontrack = (e) => {
			v.tracks.push(e.track);
			e.track.onmute = e.track.onunmute = () => this.#tell(v); // a sound that is agreed on need not come
			this.#tell(v);
		};
		peer.onconnectionstatechange = () => {
			if (!this.#current(v)) return;
			const state = peer.connectionState;
			if (state === 'connected') this.#tell(v);
			if (state === 'failed' || state === 'closed') this.#broke(v, 'The connection for this picture broke.');
			if (state === 'disconnected') {
				clearTimeout(v.timer);
				v.timer = setTimeout(() => this.#broke(v, 'The connection for this picture broke.'), brokenFor);
			}
		};
	}

	/** A session that the server ends shows in the transport at once, in the connection 6 s later. */
	#hearTheEnd(v: Viewing, peer: RTCPeerConnection) {
		const transport = peer.getReceivers()[0]?.transport;
		if (transport) transport.onstatechange = () => transport.state === 'closed' && this.#broke(v, 'The picture ended.');
	}

	#tell(v: Viewing) {
		if (!this.#current(v) || !v.plays) return;
		if (v === this.#next && v.tracks.some((t) => t.kind === 'video' && t.muted)) return; // nothing came yet
		clearTimeout(v.timer);
		this.#backoff.reset();
		this.#since ||= Date.now();
		const media = (this.#media ??= new MediaStream());
		for (const t of v.tracks) media.addTrack(t);
		if (v === this.#next) {
			const before = this.#now;
			this.#now = v;
			this.#next = null;
			for (const t of before?.tracks ?? []) media.removeTrack(t);
			this.#drop(before);
		}
		this.#changed({ state: 'playing', why: '', media, sound: v.tracks.some((t) => t.kind === 'audio' && !t.muted) });
	}

	#broke(v: Viewing, why: string, refused = false) {
		if (this.#current(v)) this.#again(why, refused);
	}

	#again(why: string, refused = false) {
		this.#hangUp();
		if (this.#closed) return;
		const wait = this.#backoff.next();
		this.#changed({ state: refused ? 'refused' : 'waiting', why, media: null, sound: false });
		this.#timer = setTimeout(() => this.#begin(), refused ? longestWait : wait);
	}

	#hangUp() {
		this.#since = 0;
		clearTimeout(this.#timer);
		const [now, next] = [this.#now, this.#next];
		this.#now = this.#next = this.#media = null;
		this.#drop(now);
		this.#drop(next);
	}

	#drop(v: Viewing | null) {
		if (!v) return;
		clearTimeout(v.timer);
		v.abort.abort();
		v.peer?.close();
		// keepalive: also when the page is being left.
		if (v.session) void this.#net.fetch(v.session, { method: 'DELETE', keepalive: true }).catch(() => {});
		v.session = '';
	}
}

/** Browsers play Opus in mono unless stereo is asked for (RFC 7587, 6.1). */
export function stereo(sdp: string): string {
	const opus = /^a=rtpmap:(\d+) opus\//im.exec(sdp)?.[1];
	return opus ? sdp.replace(new RegExp(`^(a=fmtp:${opus} (?!.*stereo=).*?)(\r?)$`, 'm'), '$1;stereo=1$2') : sdp;
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

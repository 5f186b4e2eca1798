// A WHIP publisher (RFC 9725): sends this device's camera as a feed, reconnects when the
// connection is lost, and reports its state.
import { newBackoff, type Backoff } from '../api/backoff';
import { refusal } from '../playback/whep';

export interface Sending {
	state: 'off' | 'connecting' | 'sending' | 'waiting' | 'refused';
	reason: string; // why it does not send
	figures: Figures | null;
}

/** What goes out, measured over the last second. */
export interface Figures {
	width: number;
	height: number;
	fps: number;
	kbps: number;
	limited: boolean; // by the network or by this device
}

export const notSending: Sending = { state: 'off', reason: '', figures: null };

const connectTimeout = 10_000;
const disconnectedFor = 3000; // "disconnected" often recovers without a new connection
const firstWait = 500;
const longestWait = 5000;
const measureEvery = 1000;

/** What the publisher needs of the browser; tests bring their own. */
export interface Net {
	peer(ice: RTCIceServer[]): RTCPeerConnection;
	ice(): Promise<RTCIceServer[]>;
	fetch(path: string, init: RequestInit): Promise<Response>;
	random(): number;
}

export class WhipPublisher {
	#url: string;
	#key: string;
	#changed: (s: Sending) => void;
	#net: Net;
	#media: MediaStream | null = null;
	#kbps = 3000;
	#peer: RTCPeerConnection | null = null;
	#session = '';
	#timer: ReturnType<typeof setTimeout> | undefined;
	#measuring: ReturnType<typeof setInterval> | undefined;
	#attempt = 0; // distinguishes this attempt from one that was given up
	#backoff: Backoff;
	#sending: Sending = notSending;
	#before = { at: 0, frames: 0, bytes: 0 };

	constructor(url: string, key: string, changed: (s: Sending) => void, net: Net) {
		this.#url = url;
		this.#key = key;
		this.#changed = changed;
		this.#net = net;
		this.#backoff = newBackoff(firstWait, longestWait, net.random);
	}

	/** Sends media; replacing the media needs no new connection. */
	async send(media: MediaStream, kbps: number) {
		const before = this.#media;
		this.#media = media;
		this.#kbps = kbps;
		const peer = this.#peer;
		if (!before || !peer) return this.#connect();
		for (const sender of peer.getSenders()) {
			const track = media.getTracks().find((t) => t.kind === sender.track?.kind);
			if (track && track !== sender.track) await sender.replaceTrack(track);
		}
		await this.#tune(peer);
	}

	/** Reconnects now: the network is back. */
	again() {
		if (this.#media && this.#sending.state !== 'sending') void this.#connect();
	}

	/** Ends the feed, also at the server. */
	stop() {
		this.#media = null;
		this.#hangUp();
		this.#report(notSending);
	}

	#report(s: Sending) {
		this.#sending = s;
		this.#changed(s);
	}

	async #connect() {
		const media = this.#media;
		this.#hangUp();
		if (!media) return;
		this.#report({ ...notSending, state: 'connecting' });
		this.#timer = setTimeout(() => this.#retry('The server is not responding.'), connectTimeout);
		const attempt = ++this.#attempt;
		const servers = await this.#net.ice();
		if (attempt !== this.#attempt) return;
		const peer = this.#net.peer(servers);
		this.#peer = peer;
		this.#watch(peer);
		try {
			for (const track of media.getTracks()) peer.addTransceiver(track, { direction: 'sendonly', streams: [media] });
			await this.#tune(peer);
			await peer.setLocalDescription(await peer.createOffer());
			if (peer !== this.#peer) return;
			const answer = await this.#post(peer);
			if (peer !== this.#peer || answer === null) return;
			await peer.setRemoteDescription({ type: 'answer', sdp: answer });
			await this.#tune(peer);
		} catch {
			if (peer === this.#peer) this.#retry('The server is not responding.');
		}
	}

	// A show needs full resolution at a lower frame rate rather than a small frame.
	async #tune(peer: RTCPeerConnection) {
		for (const sender of peer.getSenders()) {
			if (sender.track?.kind !== 'video') continue;
			const p = sender.getParameters();
			p.degradationPreference = 'maintain-resolution';
			for (const e of p.encodings ?? []) e.maxBitrate = this.#kbps * 1000;
			await sender.setParameters(p).catch(() => {}); // a browser that can't still sends
		}
	}

	async #post(peer: RTCPeerConnection): Promise<string | null> {
		const headers: Record<string, string> = { 'Content-Type': 'application/sdp' };
		if (this.#key) headers.Authorization = `Bearer ${this.#key}`;
		const answer = await this.#net.fetch(this.#url, {
			method: 'POST',
			headers,
			body: peer.localDescription?.sdp ?? '',
		});
		const text = await answer.text();
		const session = answer.headers.get('Location') ?? '';
		if (peer !== this.#peer) {
			this.#end(session);
			return null;
		}
		if (!answer.ok) {
			this.#retry(refusal(answer.status, text), [401, 403, 404, 406].includes(answer.status));
			return null;
		}
		this.#session = session;
		return text;
	}

	#watch(peer: RTCPeerConnection) {
		peer.onconnectionstatechange = () => {
			if (peer !== this.#peer) return;
			clearTimeout(this.#timer);
			switch (peer.connectionState) {
				case 'connected':
					this.#before = { at: 0, frames: 0, bytes: 0 };
					this.#backoff.reset();
					this.#report({ ...notSending, state: 'sending' });
					clearInterval(this.#measuring);
					this.#measuring = setInterval(() => void this.#measure(peer), measureEvery);
					break;
				case 'disconnected':
					this.#timer = setTimeout(() => this.#retry('The connection was lost.'), disconnectedFor);
					break;
				case 'failed':
				case 'closed':
					this.#retry('The connection was lost.');
					break;
				default:
					this.#timer = setTimeout(() => this.#retry('The server is not responding.'), connectTimeout);
			}
		};
	}

	async #measure(peer: RTCPeerConnection) {
		let figures: Figures | null = null;
		(await peer.getStats()).forEach((r) => {
			if (r.type !== 'outbound-rtp' || r.kind !== 'video') return;
			const b = this.#before;
			const span = (r.timestamp - b.at) / 1000;
			const limited = r.qualityLimitationReason !== undefined && r.qualityLimitationReason !== 'none';
			if (b.at > 0 && span > 0) {
				const rates = { fps: (r.framesEncoded - b.frames) / span, kbps: ((r.bytesSent - b.bytes) * 8) / 1000 / span };
				figures = { width: r.frameWidth ?? 0, height: r.frameHeight ?? 0, ...rates, limited };
			}
			this.#before = { at: r.timestamp, frames: r.framesEncoded, bytes: r.bytesSent };
		});
		if (peer === this.#peer && figures) this.#report({ state: 'sending', reason: '', figures });
	}

	#retry(reason: string, refused = false) {
		this.#hangUp();
		if (!this.#media) return;
		const wait = this.#backoff.next();
		this.#report({ ...notSending, state: refused ? 'refused' : 'waiting', reason });
		this.#timer = setTimeout(() => void this.#connect(), refused ? longestWait : wait);
	}

	#hangUp() {
		this.#attempt++;
		clearTimeout(this.#timer);
		clearInterval(this.#measuring);
		const peer = this.#peer;
		this.#peer = null;
		peer?.close();
		this.#end(this.#session);
		this.#session = '';
	}

	#end(session: string) {
		// keepalive: also while the page is being closed. The session's address needs no key.
		if (session) void this.#net.fetch(session, { method: 'DELETE', keepalive: true }).catch(() => {});
	}
}

// Plays a stream that WebRTC can't carry: its coded pictures come over a websocket
// and are decoded here (WebCodecs), into a track that a <video> shows. Only pages that
// are secure may, and only some browsers can.
import { Backoff } from '../api/backoff';
import { Pacer } from './pacer';
import { bytes, unit, type CodecInfo, type Decoder, type Unit } from './watchprotocol';
import { Voice } from './audioplayout';
import { off, type Playing } from './whep';

const openTimeout = 8000;
const firstWait = 300;
const longestWait = 5000;
const silentFor = 6000; // the server pings, but the page does not hear that
const tooLate = 120; // a picture that was due so long ago is not worth showing
const soundTakes = 80; // from when it is written to when it is heard; the picture waits for it
const mostWaiting = 24; // decoded pictures: they hold memory of the graphics card

/** Whether this page can play that way. */
export function canDecode(): boolean {
	return window.isSecureContext && 'VideoDecoder' in window && 'MediaStreamTrackGenerator' in window;
}

interface Generator extends MediaStreamTrack {
	writable: WritableStream<VideoFrame>;
}
declare const MediaStreamTrackGenerator: new (init: { kind: string }) => Generator;

export class WebCodecsPlayer {
	#url: string;
	#changed: (p: Playing) => void;
	#socket: WebSocket | null = null;
	#show: Show | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#backoff = new Backoff(firstWait, longestWait);
	#listening = false;
	#playing = false;
	#closed = true;

	constructor(stream: string, changed: (p: Playing) => void) {
		const secure = location.protocol === 'https:' ? 'wss' : 'ws';
		this.#url = `${secure}://${location.host}/watch/${encodeURIComponent(stream)}`;
		this.#changed = changed;
	}

	/** How old the picture shown last is, from its arrival in the server; null when unknown. */
	get age(): number | null {
		return this.#show?.age ?? null;
	}

	start() {
		this.#closed = false;
		this.#dial();
	}

	stop() {
		this.#closed = true;
		this.#hangUp();
		this.#changed(off);
	}

	/** The picture stands still although the connection is up: begin anew. */
	stuck() {
		if (!this.#closed && this.#show) this.#again('The picture stood still.');
	}

	/** Sound comes along in any case, but is decoded only where it is heard. */
	listen(on: boolean) {
		if (on === this.#listening) return;
		this.#listening = on;
		if (!this.#show) return;
		this.#show.listening = on;
		if (this.#playing) this.#tell();
	}

	#tell() {
		const show = this.#show;
		if (show) this.#changed({ state: 'playing', why: '', media: show.media, sound: show.sound });
	}

	#dial() {
		this.#hangUp();
		this.#changed({ state: 'connecting', why: '', media: null, sound: false });
		const socket = new WebSocket(this.#url);
		socket.binaryType = 'arraybuffer';
		this.#socket = socket;
		this.#expect(openTimeout);
		socket.onmessage = (e) => {
			if (socket === this.#socket) this.#hear(e.data as string | ArrayBuffer);
		};
		socket.onclose = (e) => {
			if (socket === this.#socket)
				this.#again(
					e.reason ? `${e.reason[0]!.toUpperCase()}${e.reason.slice(1)}.` : 'The connection for this picture broke.',
				);
		};
	}

	#hear(message: string | ArrayBuffer) {
		if (typeof message === 'string') return void this.#configure(JSON.parse(message) as CodecInfo);
		const u = unit(message);
		if (!u || !this.#show) return;
		this.#expect(silentFor);
		this.#show.take(u, performance.now());
	}

	async #configure(coding: CodecInfo) {
		const socket = this.#socket;
		const show = this.#show ?? new Show(() => this.#again('The browser could not decode the picture.'));
		this.#show = show;
		show.listening = this.#listening;
		const why = await show.configure(coding);
		if (socket !== this.#socket) return show === this.#show ? undefined : show.close();
		if (why) return this.#again(why, true);
		this.#backoff.reset();
		this.#playing = true;
		this.#tell();
	}

	#expect(within: number) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#again('Nothing comes from the server.'), within);
	}

	#again(why: string, refused = false) {
		this.#hangUp();
		if (this.#closed) return;
		const wait = this.#backoff.next();
		this.#changed({ state: refused ? 'refused' : 'waiting', why, media: null, sound: false });
		this.#timer = setTimeout(() => this.#dial(), refused ? longestWait : wait);
	}

	#hangUp() {
		clearTimeout(this.#timer);
		this.#playing = false;
		const socket = this.#socket;
		this.#socket = null;
		socket?.close();
		this.#show?.close();
		this.#show = null;
	}
}

/** The decoders of one connection, and the tracks they write to. */
class Show {
	age: number | null = null;
	listening = false;
	readonly media = new MediaStream();
	#failed: () => void;
	#pacer = new Pacer();
	#video: Line | null = null;
	#audio: Voice | null = null;
	#picture: VideoDecoder | null = null;
	#hearing: AudioDecoder | null = null;
	#waiting: Promise<string> | null = null;
	#early: Unit[] = []; // came while the decoders were asked what they can
	#needKey = true;
	#arrivals = new Map<number, number>(); // by time to be shown, in whole microseconds
	#skew = Infinity; // of the server's clock, with the least delay seen

	constructor(failed: () => void) {
		this.#failed = failed;
	}

	get sound(): boolean {
		return this.listening && this.#hearing !== null;
	}

	/** Prepares for a coding; it says why that can't be. */
	async configure(coding: CodecInfo): Promise<string> {
		const waiting = this.#prepare(coding);
		this.#waiting = waiting;
		const why = await waiting;
		if (waiting === this.#waiting) {
			this.#waiting = null;
			for (const u of this.#early.splice(0)) this.take(u, performance.now());
		}
		return why;
	}

	async #prepare(coding: CodecInfo): Promise<string> {
		this.#needKey = true;
		this.#pacer.restart();
		const v = coding.video && videoConfig(coding.video);
		if (!v) return 'The stream has no picture that a browser can decode.';
		const able = await VideoDecoder.isConfigSupported(v).catch(() => null);
		if (!able?.supported) return `This browser can’t decode ${coding.video!.codec}.`;
		this.#video ??= new Line(
			this.media,
			this.#pacer,
			(f) => this.#shown(f),
			() => (this.sound ? soundTakes : 0),
		);
		this.#picture ??= new VideoDecoder({ output: (f) => this.#video?.push(f), error: this.#failed });
		this.#picture.configure(v);
		const a = coding.audio && audioConfig(coding.audio);
		const hears = a && (await AudioDecoder.isConfigSupported(a).catch(() => null));
		if (a && hears?.supported) {
			this.#audio ??= new Voice(this.media, (pts) => this.#pacer.due(pts));
			this.#hearing ??= new AudioDecoder({ output: (d) => this.#audio?.push(d), error: () => (this.#hearing = null) });
			this.#hearing.configure(a);
		}
		return '';
	}

	take(u: Unit, now: number) {
		if (this.#waiting) {
			this.#early.push(u);
			return;
		}
		if (!u.sound) this.#pacer.arrived(u.dts, now); // sound waits for the picture it belongs to
		const timestamp = Math.round(u.pts * 1000);
		if (u.sound) {
			if (this.listening && this.#hearing?.state === 'configured')
				this.#hearing.decode(new EncodedAudioChunk({ type: 'key', timestamp, data: u.data }));
			return;
		}
		if (this.#picture?.state !== 'configured') return;
		this.#needKey = (this.#needKey || u.gap) && !u.key;
		if (this.#needKey) return;
		if (u.gap) this.#pacer.restart();
		this.#skew = Math.min(this.#skew, now - u.sent);
		this.#arrivals.set(timestamp, u.arrived);
		if (this.#arrivals.size > 256) this.#arrivals.delete(this.#arrivals.keys().next().value!);
		this.#picture.decode(new EncodedVideoChunk({ type: u.key ? 'key' : 'delta', timestamp, data: u.data }));
	}

	#shown(f: VideoFrame) {
		const arrived = this.#arrivals.get(f.timestamp);
		if (arrived === undefined) return;
		for (const [t] of this.#arrivals) if (t <= f.timestamp) this.#arrivals.delete(t);
		const age = Math.max(0, performance.now() - arrived - this.#skew);
		this.age = this.age === null ? age : this.age + (age - this.age) / 16;
	}

	close() {
		for (const decoder of [this.#picture, this.#hearing]) if (decoder && decoder.state !== 'closed') decoder.close();
		this.#picture = this.#hearing = null;
		this.#video?.close();
		this.#audio?.close();
	}
}

function videoConfig(d: Decoder): VideoDecoderConfig {
	// optimizeForLatency would hand pictures out before their time to be shown is known.
	return {
		codec: d.codec,
		description: bytes(d.description),
		codedWidth: d.width || undefined,
		codedHeight: d.height || undefined,
	};
}

function audioConfig(d: Decoder): AudioDecoderConfig {
	return {
		codec: d.codec,
		description: bytes(d.description),
		sampleRate: d.sampleRate ?? 48_000,
		numberOfChannels: d.channels || 2,
	};
}

/** Decoded pictures on their way to a track: each is written when it is due. */
class Line {
	#track: Generator;
	#writer: WritableStreamDefaultWriter<VideoFrame>;
	#pacer: Pacer;
	#shown: (f: VideoFrame) => void;
	#later: () => number;
	#queue: VideoFrame[] = [];
	#timer: ReturnType<typeof setTimeout> | undefined;
	#closed = false;

	constructor(media: MediaStream, pacer: Pacer, shown: (f: VideoFrame) => void, later: () => number) {
		this.#track = new MediaStreamTrackGenerator({ kind: 'video' });
		this.#writer = this.#track.writable.getWriter();
		this.#writer.closed.catch(() => {});
		this.#pacer = pacer;
		this.#shown = shown;
		this.#later = later;
		media.addTrack(this.#track);
	}

	push(f: VideoFrame) {
		if (this.#closed) return f.close();
		this.#pacer.ready(f.timestamp / 1000, performance.now());
		this.#queue.push(f);
		while (this.#queue.length > mostWaiting) this.#queue.shift()!.close();
		this.#run();
	}

	#run() {
		clearTimeout(this.#timer);
		for (let f = this.#queue[0]; f; f = this.#queue[0]) {
			const now = performance.now();
			const due = this.#pacer.due(f.timestamp / 1000) + this.#later();
			if (due > now + 1) {
				this.#timer = setTimeout(() => this.#run(), Math.min(due - now, 1000));
				return;
			}
			this.#queue.shift();
			if (now - due > tooLate && this.#queue.length > 0) {
				f.close(); // a newer one is there: what is old is not shown
				continue;
			}
			this.#shown(f);
			this.#writer.write(f).catch(() => {});
		}
	}

	close() {
		this.#closed = true;
		clearTimeout(this.#timer);
		for (const f of this.#queue.splice(0)) f.close();
		this.#writer.close().catch(() => {});
		this.#track.stop();
	}
}

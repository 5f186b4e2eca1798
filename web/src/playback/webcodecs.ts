// Plays a stream that WebRTC can't carry: its encoded frames come over a websocket and are
// decoded here (WebCodecs), into a track that a <video> shows. Only secure pages may do
// that, and only some browsers can.
import { newBackoff } from '../api/backoff';
import { Pacer } from './pacer';
import { decodeBase64, parseUnit, type CodecInfo, type Decoder, type AccessUnit } from './watchprotocol';
import { AudioPlayout } from './audioplayout';
import { off, type PlayerState } from './whep';

const openTimeout = 8000;
const firstWait = 300;
const longestWait = 5000;
const silentFor = 6000; // pings of the server do not reach the page
const tooLate = 120; // ms: a frame this late is skipped when a newer one is there
const audioLatency = 80; // ms from writing a sample to hearing it; the video is delayed by as much
const maxQueued = 24; // decoded frames: they hold memory of the graphics card

/** Whether this page can decode with WebCodecs. */
export function canDecode(): boolean {
	return window.isSecureContext && 'VideoDecoder' in window && 'MediaStreamTrackGenerator' in window;
}

interface Generator extends MediaStreamTrack {
	writable: WritableStream<VideoFrame>;
}
declare const MediaStreamTrackGenerator: new (init: { kind: string }) => Generator;

export class WebCodecsPlayer {
	#url: string;
	#changed: (p: PlayerState) => void;
	#socket: WebSocket | null = null;
	#decoding: Decoding | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#backoff = newBackoff(firstWait, longestWait);
	#listening = false;
	#playing = false;
	#closed = true;

	constructor(stream: string, changed: (p: PlayerState) => void) {
		const secure = location.protocol === 'https:' ? 'wss' : 'ws';
		this.#url = `${secure}://${location.host}/watch/${encodeURIComponent(stream)}`;
		this.#changed = changed;
	}

	/** The age of the newest frame shown, from its arrival at the server; null when unknown. */
	get age(): number | null {
		return this.#decoding?.age ?? null;
	}

	start() {
		this.#closed = false;
		this.#connect();
	}

	stop() {
		this.#closed = true;
		this.#hangUp();
		this.#changed(off);
	}

	/** The video is frozen although the connection is up: reconnect. */
	stuck() {
		if (!this.#closed && this.#decoding) this.#reconnect('The video was frozen.');
	}

	/** Audio is always sent, but decoded only while someone listens. */
	listen(on: boolean) {
		if (on === this.#listening) return;
		this.#listening = on;
		if (!this.#decoding) return;
		this.#decoding.listening = on;
		if (this.#playing) this.#reportPlaying();
	}

	#reportPlaying() {
		const decoding = this.#decoding;
		if (decoding) this.#changed({ state: 'playing', reason: '', media: decoding.media, hasAudio: decoding.hasAudio });
	}

	#connect() {
		this.#hangUp();
		this.#changed({ ...off, state: 'connecting' });
		const socket = new WebSocket(this.#url);
		socket.binaryType = 'arraybuffer';
		this.#socket = socket;
		this.#expectData(openTimeout);
		socket.onmessage = (e) => {
			if (socket === this.#socket) this.#receive(e.data as string | ArrayBuffer);
		};
		socket.onclose = (e) => {
			if (socket === this.#socket)
				this.#reconnect(
					e.reason ? `${e.reason[0]!.toUpperCase()}${e.reason.slice(1)}.` : 'The video connection was lost.',
				);
		};
	}

	#receive(message: string | ArrayBuffer) {
		if (typeof message === 'string') return void this.#configure(JSON.parse(message) as CodecInfo);
		const u = parseUnit(message);
		if (!u || !this.#decoding) return;
		this.#expectData(silentFor);
		this.#decoding.take(u, performance.now());
	}

	async #configure(codec: CodecInfo) {
		const socket = this.#socket;
		const decoding = this.#decoding ?? new Decoding(() => this.#reconnect('The browser could not decode the video.'));
		this.#decoding = decoding;
		decoding.listening = this.#listening;
		const reason = await decoding.configure(codec);
		if (socket !== this.#socket) return decoding === this.#decoding ? undefined : decoding.close();
		if (reason) return this.#reconnect(reason, true);
		this.#backoff.reset();
		this.#playing = true;
		this.#reportPlaying();
	}

	#expectData(within: number) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#reconnect('No data from the server.'), within);
	}

	#reconnect(reason: string, refused = false) {
		this.#hangUp();
		if (this.#closed) return;
		const wait = this.#backoff.next();
		this.#changed({ ...off, state: refused ? 'refused' : 'waiting', reason });
		this.#timer = setTimeout(() => this.#connect(), refused ? longestWait : wait);
	}

	#hangUp() {
		clearTimeout(this.#timer);
		this.#playing = false;
		const socket = this.#socket;
		this.#socket = null;
		socket?.close();
		this.#decoding?.close();
		this.#decoding = null;
	}
}

/** The decoders of one connection, and the tracks they write to. */
class Decoding {
	age: number | null = null;
	listening = false;
	readonly media = new MediaStream();
	#failed: () => void;
	#pacer = new Pacer();
	#videoPlayout: VideoPlayout | null = null;
	#audioPlayout: AudioPlayout | null = null;
	#videoDecoder: VideoDecoder | null = null;
	#audioDecoder: AudioDecoder | null = null;
	#configuring: Promise<string> | null = null;
	#early: AccessUnit[] = []; // arrived while the decoders were being configured
	#needKey = true;
	#arrivals = new Map<number, number>(); // by presentation time, in whole microseconds
	#clockOffset = Infinity; // our clock minus the server's, with the least delay seen

	constructor(failed: () => void) {
		this.#failed = failed;
	}

	get hasAudio(): boolean {
		return this.listening && this.#audioDecoder !== null;
	}

	/** Configures the decoders; returns why that is not possible. */
	async configure(codec: CodecInfo): Promise<string> {
		const configuring = this.#prepare(codec);
		this.#configuring = configuring;
		const reason = await configuring;
		if (configuring === this.#configuring) {
			this.#configuring = null;
			for (const u of this.#early.splice(0)) this.take(u, performance.now());
		}
		return reason;
	}

	async #prepare(codec: CodecInfo): Promise<string> {
		this.#needKey = true;
		this.#pacer.restart();
		const v = codec.video && videoConfig(codec.video);
		if (!v) return 'The stream has no video that a browser can decode.';
		const support = await VideoDecoder.isConfigSupported(v).catch(() => null);
		if (!support?.supported) return `This browser can't decode ${codec.video!.codec}.`;
		this.#videoPlayout ??= new VideoPlayout(
			this.media,
			this.#pacer,
			(f) => this.#shown(f),
			() => (this.hasAudio ? audioLatency : 0),
		);
		this.#videoDecoder ??= new VideoDecoder({ output: (f) => this.#videoPlayout?.push(f), error: this.#failed });
		this.#videoDecoder.configure(v);
		const a = codec.audio && audioConfig(codec.audio);
		const supported = a && (await AudioDecoder.isConfigSupported(a).catch(() => null));
		if (a && supported?.supported) {
			this.#audioPlayout ??= new AudioPlayout(this.media, (pts) => this.#pacer.due(pts));
			this.#audioDecoder ??= new AudioDecoder({
				output: (d) => this.#audioPlayout?.push(d),
				error: () => (this.#audioDecoder = null),
			});
			this.#audioDecoder.configure(a);
		}
		return '';
	}

	take(u: AccessUnit, now: number) {
		if (this.#configuring) {
			this.#early.push(u);
			return;
		}
		if (!u.audio) this.#pacer.arrived(u.dts, now); // the timing follows the video
		const timestamp = Math.round(u.pts * 1000);
		if (u.audio) {
			if (this.listening && this.#audioDecoder?.state === 'configured')
				this.#audioDecoder.decode(new EncodedAudioChunk({ type: 'key', timestamp, data: u.data }));
			return;
		}
		if (this.#videoDecoder?.state !== 'configured') return;
		this.#needKey = (this.#needKey || u.gap) && !u.key;
		if (this.#needKey) return;
		if (u.gap) this.#pacer.restart();
		this.#clockOffset = Math.min(this.#clockOffset, now - u.sent);
		this.#arrivals.set(timestamp, u.arrived);
		if (this.#arrivals.size > 256) this.#arrivals.delete(this.#arrivals.keys().next().value!);
		this.#videoDecoder.decode(new EncodedVideoChunk({ type: u.key ? 'key' : 'delta', timestamp, data: u.data }));
	}

	#shown(f: VideoFrame) {
		const arrived = this.#arrivals.get(f.timestamp);
		if (arrived === undefined) return;
		for (const [t] of this.#arrivals) if (t <= f.timestamp) this.#arrivals.delete(t);
		const age = Math.max(0, performance.now() - arrived - this.#clockOffset);
		this.age = this.age === null ? age : this.age + (age - this.age) / 16;
	}

	close() {
		for (const decoder of [this.#videoDecoder, this.#audioDecoder])
			if (decoder && decoder.state !== 'closed') decoder.close();
		this.#videoDecoder = this.#audioDecoder = null;
		this.#videoPlayout?.close();
		this.#audioPlayout?.close();
	}
}

function videoConfig(d: Decoder): VideoDecoderConfig {
	// optimizeForLatency would output frames before their presentation time is known.
	return {
		codec: d.codec,
		description: decodeBase64(d.description),
		codedWidth: d.width || undefined,
		codedHeight: d.height || undefined,
	};
}

function audioConfig(d: Decoder): AudioDecoderConfig {
	return {
		codec: d.codec,
		description: decodeBase64(d.description),
		sampleRate: d.sampleRate ?? 48_000,
		numberOfChannels: d.channels || 2,
	};
}

/** Writes decoded frames to a track, each when it is due. */
class VideoPlayout {
	#track: Generator;
	#writer: WritableStreamDefaultWriter<VideoFrame>;
	#pacer: Pacer;
	#shown: (f: VideoFrame) => void;
	#extraDelay: () => number;
	#queue: VideoFrame[] = [];
	#timer: ReturnType<typeof setTimeout> | undefined;
	#closed = false;

	constructor(media: MediaStream, pacer: Pacer, shown: (f: VideoFrame) => void, extraDelay: () => number) {
		this.#track = new MediaStreamTrackGenerator({ kind: 'video' });
		this.#writer = this.#track.writable.getWriter();
		this.#writer.closed.catch(() => {});
		this.#pacer = pacer;
		this.#shown = shown;
		this.#extraDelay = extraDelay;
		media.addTrack(this.#track);
	}

	push(f: VideoFrame) {
		if (this.#closed) return f.close();
		this.#pacer.ready(f.timestamp / 1000, performance.now());
		this.#queue.push(f);
		while (this.#queue.length > maxQueued) this.#queue.shift()!.close();
		this.#writeDue();
	}

	#writeDue() {
		clearTimeout(this.#timer);
		for (let f = this.#queue[0]; f; f = this.#queue[0]) {
			const now = performance.now();
			const due = this.#pacer.due(f.timestamp / 1000) + this.#extraDelay();
			if (due > now + 1) {
				this.#timer = setTimeout(() => this.#writeDue(), Math.min(due - now, 1000));
				return;
			}
			this.#queue.shift();
			if (now - due > tooLate && this.#queue.length > 0) {
				f.close(); // a newer one is there
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

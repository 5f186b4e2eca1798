// This device as a camera: which lens, how large, with sound or without, and what the
// server makes of it.
import { IceServers } from '../api/ice';
import { LightReader, noLight, type TallyLight } from './light';
import { notSending, WhipPublisher, type Sending } from './whip';

/** What the link of the add-camera dialog says: behind the #, which browsers send to nobody. */
export interface Link {
	feed: string;
	key: string;
}

export function linkFrom(hash: string): Link {
	const said = new URLSearchParams(hash.replace(/^#/, ''));
	return { feed: said.get('feed') ?? '', key: said.get('key') ?? '' };
}

export interface Size {
	word: string;
	width: number;
	height: number;
	kbps: number;
}

export const sizes: Size[] = [
	{ word: '1080p', width: 1920, height: 1080, kbps: 6000 },
	{ word: '720p', width: 1280, height: 720, kbps: 3500 },
	{ word: '480p', width: 854, height: 480, kbps: 1500 },
];

export type Facing = 'environment' | 'user';

/** Why this page can't have the camera at all, in words; '' when it can. */
export function unable(): string {
	if (!window.isSecureContext) return 'insecure';
	if (!navigator.mediaDevices?.getUserMedia || typeof RTCPeerConnection === 'undefined') return 'old';
	return '';
}

export class Phone {
	readonly link: Link;
	sending = $state.raw<Sending>(notSending);
	light = $state.raw<TallyLight>(noLight);
	media = $state.raw<MediaStream | null>(null);
	facing = $state<Facing>('environment');
	size = $state.raw<Size>(sizes[1]!);
	muted = $state(false);
	problem = $state(''); // of the camera itself
	busy = $state(false);
	#publisher: WhipPublisher;
	#lights: LightReader;
	#lock: WakeLockSentinel | null = null;

	constructor(link: Link) {
		this.link = link;
		const feed = encodeURIComponent(link.feed);
		const headers: Record<string, string> = link.key ? { Authorization: `Bearer ${link.key}` } : {};
		const ice = new IceServers(`/whip/${feed}`, (path, init) => fetch(path, { ...init, headers }));
		this.#publisher = new WhipPublisher(`/whip/${feed}`, link.key, (s) => (this.sending = s), {
			peer: (iceServers) => new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' }),
			ice: () => ice.get(),
			fetch: (path, init) => fetch(path, init),
			random: Math.random,
		});
		this.#lights = new LightReader(`/api/v1/camera/${feed}`, link.key, (l) => this.#lit(l), {
			fetch: (path, init) => fetch(path, init),
		});
	}

	get on(): boolean {
		return this.media !== null;
	}

	/** Listens for the light and for what happens to this device, until the function it returns is called. */
	watch(): () => void {
		this.#lights.start();
		const visible = () => {
			if (document.hidden || !this.on) return;
			void this.#stayAwake();
			// A phone takes the camera away from a page that is not seen.
			if (this.media?.getTracks().some((t) => t.readyState === 'ended')) void this.start();
			else this.#publisher.again();
		};
		const online = () => this.#publisher.again();
		const leave = () => this.#publisher.stop();
		document.addEventListener('visibilitychange', visible);
		addEventListener('online', online);
		addEventListener('pagehide', leave);
		return () => {
			document.removeEventListener('visibilitychange', visible);
			removeEventListener('online', online);
			removeEventListener('pagehide', leave);
			this.#lights.stop();
			this.stop();
		};
	}

	/** Takes the camera, as it is chosen now, and sends it. */
	async start() {
		if (this.busy) return;
		this.busy = true;
		this.problem = '';
		try {
			const before = this.media;
			before?.getVideoTracks().forEach((t) => t.stop()); // many phones can't open two lenses at once
			const media = await this.#take();
			before?.getTracks().forEach((t) => t.stop());
			media.getAudioTracks().forEach((t) => (t.enabled = !this.muted));
			media.getTracks().forEach((t) => (t.onended = () => (this.problem = 'The device took the camera away.')));
			this.media = media;
			void this.#stayAwake();
			await this.#publisher.send(media, this.size.kbps);
		} catch (e) {
			this.stop();
			this.problem = words(e);
		} finally {
			this.busy = false;
		}
	}

	async #take(): Promise<MediaStream> {
		const video = {
			facingMode: this.facing,
			width: { ideal: this.size.width },
			height: { ideal: this.size.height },
			frameRate: { ideal: 30, max: 30 },
		};
		const audio = {
			echoCancellation: false,
			noiseSuppression: false,
			autoGainControl: true,
			channelCount: { ideal: 2 },
		};
		try {
			return await navigator.mediaDevices.getUserMedia({ video, audio });
		} catch (e) {
			// A device without a microphone is still a camera.
			if (e instanceof DOMException && e.name === 'NotFoundError')
				return navigator.mediaDevices.getUserMedia({ video });
			throw e;
		}
	}

	stop() {
		this.#publisher.stop();
		this.media?.getTracks().forEach((t) => {
			t.onended = null;
			t.stop();
		});
		this.media = null;
		void this.#lock?.release();
		this.#lock = null;
	}

	flip() {
		this.facing = this.facing === 'environment' ? 'user' : 'environment';
		if (this.on) void this.start();
	}

	resize(size: Size) {
		this.size = size;
		if (this.on) void this.start();
	}

	mute() {
		this.muted = !this.muted;
		this.media?.getAudioTracks().forEach((t) => (t.enabled = !this.muted));
	}

	async #stayAwake() {
		if (this.#lock && !this.#lock.released) return;
		try {
			this.#lock = await navigator.wakeLock.request('screen');
		} catch {
			// an older phone, or an empty battery: the camera works all the same
		}
	}

	#lit(l: TallyLight) {
		const red = (t: TallyLight) => t.known && (t.tally === 'program' || t.tally === 'both');
		if (red(l) && !red(this.light) && this.on) navigator.vibrate?.(120);
		this.light = l;
	}
}

function words(e: unknown): string {
	switch (e instanceof DOMException ? e.name : '') {
		case 'NotAllowedError':
			return 'This page may not use the camera. Allow camera and microphone for it in the browser’s settings, then try again.';
		case 'NotFoundError':
			return 'This device has no camera that the browser can use.';
		case 'NotReadableError':
			return 'Another app is using the camera. Close it, then try again.';
		case 'OverconstrainedError':
			return 'This camera can’t do that. Choose another size or lens.';
		default:
			return 'The camera can’t be used now.';
	}
}

// This device as a camera: lens, size, microphone, and the state of the connection.
import { IceServers } from '../api/ice';
import { LightReader, noLight, type TallyLight } from './light';
import { notSending, WhipPublisher, type Sending } from './whip';

/** The link of the add-camera dialog. Browsers never send what is behind the #. */
export interface Link {
	feed: string;
	key: string;
}

export function linkFrom(hash: string): Link {
	const parts = new URLSearchParams(hash.replace(/^#/, ''));
	return { feed: parts.get('feed') ?? '', key: parts.get('key') ?? '' };
}

export interface Size {
	name: string;
	width: number;
	height: number;
	kbps: number;
}

export const sizes: Size[] = [
	{ name: '1080p', width: 1920, height: 1080, kbps: 6000 },
	{ name: '720p', width: 1280, height: 720, kbps: 3500 },
	{ name: '480p', width: 854, height: 480, kbps: 1500 },
];

export type Facing = 'environment' | 'user';

/** Why this page can't use the camera at all; '' when it can. */
export function unavailable(): string {
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

	/** Watches the tally light and this device, until the returned function is called. */
	watch(): () => void {
		this.#lights.start();
		const visible = () => {
			if (document.hidden || !this.on) return;
			void this.#stayAwake();
			// A phone takes the camera away from a hidden page.
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

	/** Opens the selected camera and sends it. */
	async start() {
		if (this.busy) return;
		this.busy = true;
		this.problem = '';
		try {
			const before = this.media;
			before?.getVideoTracks().forEach((t) => t.stop()); // many phones can't open two lenses at once
			const media = await this.#open();
			before?.getTracks().forEach((t) => t.stop());
			media.getAudioTracks().forEach((t) => (t.enabled = !this.muted));
			media.getTracks().forEach((t) => (t.onended = () => (this.problem = 'The device stopped the camera.')));
			this.media = media;
			void this.#stayAwake();
			await this.#publisher.send(media, this.size.kbps);
		} catch (e) {
			this.stop();
			this.problem = cameraError(e);
		} finally {
			this.busy = false;
		}
	}

	async #open(): Promise<MediaStream> {
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
			// an older phone, or a low battery: the camera works without it
		}
	}

	#lit(l: TallyLight) {
		const red = (t: TallyLight) => t.known && (t.tally === 'program' || t.tally === 'both');
		if (red(l) && !red(this.light) && this.on) navigator.vibrate?.(120);
		this.light = l;
	}
}

function cameraError(e: unknown): string {
	switch (e instanceof DOMException ? e.name : '') {
		case 'NotAllowedError':
			return 'Camera access was denied. Allow camera and microphone for this page in the browser settings, then try again.';
		case 'NotFoundError':
			return 'No camera found on this device.';
		case 'NotReadableError':
			return 'Another app is using the camera. Close it, then try again.';
		case 'OverconstrainedError':
			return 'This camera does not support that. Choose another size or lens.';
		default:
			return 'The camera is not available.';
	}
}

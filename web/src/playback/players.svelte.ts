// The live streams on this page: one player per stream, however many places show it. So a
// source that is put in preview shows at once: its tile is playing it already.
import { StreamClock, type ClockAnswer } from './videometer';
import type { Watch } from '../api/protocol.gen';
import { canDecode, WebCodecsPlayer } from './webcodecs';
import { WhepPlayer, off, type PlayerState } from './whep';

/** How a stream reaches this page. */
export type Transport = 'WebRTC' | 'WebCodecs';

/**
 * The best transport for a stream on this page: WebRTC, which costs least; WebCodecs for
 * what WebRTC carries only in part or not at all; '' when there is none. Keyframes WebRTC
 * carries of every stream that it takes.
 */
export function transportFor(watch: Watch, decodes = canDecode(), keyframesOnly = false): Transport | '' {
	if (watch.webCodecs && decodes && (!watch.ok || (watch.reduced && !keyframesOnly))) return 'WebCodecs';
	return watch.ok ? 'WebRTC' : '';
}

/** Why a stream is not shown. */
export function unavailableReason(watch: Watch, secure = window.isSecureContext): string {
	const reason = watch.reason || "This stream can't be shown here.";
	if (!watch.webCodecs) return reason;
	return secure ? `${reason} Chrome and Edge can show it.` : `${reason} Over https, Chrome and Edge can show it.`;
}

const linger = 3000; // a player that nothing shows is kept this long
const coveredAfter = 5000; // a short full-screen view does not stop the others
const hiddenAfter = 10_000; // a hidden page is often shown again soon
const clockIntervals = [500, 1000, 1000, 1000, 5000]; // the last one repeats

export class StreamPlayer {
	playing = $state.raw<PlayerState>(off);
	readonly clock = new StreamClock();
	readonly engine: WhepPlayer | WebCodecsPlayer;
	readonly transport: Transport;
	readonly #stream: string;
	/** The places that show it; only the first plays its audio: two would echo. */
	#users = $state.raw<symbol[]>([]);
	#started = false;
	#leaving: ReturnType<typeof setTimeout> | undefined;
	#asking: ReturnType<typeof setTimeout> | undefined;

	constructor(stream: string, transport: Transport, keyframesOnly: boolean) {
		this.#stream = stream;
		this.transport = transport;
		const changed = (p: PlayerState) => {
			this.playing = p;
			if (transport === 'WebCodecs' && p.state === 'refused')
				players.undecodable = new Set([...players.undecodable, stream]);
		};
		this.engine =
			transport === 'WebCodecs'
				? new WebCodecsPlayer(stream, changed)
				: new WhepPlayer(`/whep/${encodeURIComponent(stream)}${keyframesOnly ? '?video=keyframes' : ''}`, changed);
	}

	/** The age of the frame on the screen, where the player knows it. */
	get age(): number | null {
		return this.engine instanceof WebCodecsPlayer ? this.engine.age : null;
	}

	/** How many frames were decoded, where the player knows it. */
	async decoded(): Promise<number | null> {
		return this.engine instanceof WhepPlayer ? this.engine.decoded() : null;
	}

	/** Whether this user's place plays the audio. */
	isHeard(user: symbol): boolean {
		return this.#users[0] === user;
	}

	use(user: symbol) {
		clearTimeout(this.#leaving);
		this.#users = [...this.#users, user];
		if (this.#started) return;
		this.#started = true;
		this.engine.start();
		if (this.transport === 'WebRTC') this.#askClock(0);
	}

	leave(user: symbol, stopped: () => void) {
		this.#users = this.#users.filter((u) => u !== user);
		if (this.#users.length > 0) return;
		this.#leaving = setTimeout(() => {
			clearTimeout(this.#asking);
			this.#started = false;
			this.engine.stop();
			stopped();
		}, linger);
	}

	#askClock(times: number) {
		const wait = clockIntervals[Math.min(times, clockIntervals.length - 1)];
		this.#asking = setTimeout(() => {
			void this.#readClock();
			this.#askClock(times + 1);
		}, wait);
	}

	async #readClock() {
		if (this.playing.state !== 'playing' || document.hidden) return;
		try {
			const sent = performance.now();
			const answer = await fetch(`/api/v1/clock/${encodeURIComponent(this.#stream)}`);
			const got = performance.now();
			if (answer.ok) this.clock.learn((await answer.json()) as ClockAnswer, sent, got);
		} catch {
			// the latency is unknown for now; the video does not need it
		}
	}
}

class Players {
	/** The stream whose audio is played; '' for none. Only one at a time. */
	listening = $state('');
	/** Streams with a codec that this browser does not decode. */
	undecodable = $state.raw<ReadonlySet<string>>(new Set());
	/** The page has been hidden for a while: streams are not played. */
	asleep = $state(false);
	/** A full-screen view has covered the rest for a while: what it hides is not played. */
	covered = $state(false);
	#all = new Map<string, StreamPlayer>();
	#hiding: ReturnType<typeof setTimeout> | undefined;
	#covering: ReturnType<typeof setTimeout> | undefined;

	constructor() {
		document.addEventListener('visibilitychange', () => {
			clearTimeout(this.#hiding);
			if (document.hidden) this.#hiding = setTimeout(() => (this.asleep = true), hiddenAfter);
			else this.asleep = false;
		});
	}

	/** Whether a full-screen view covers the others. They return at once. */
	cover(on: boolean) {
		clearTimeout(this.#covering);
		if (on) this.#covering = setTimeout(() => (this.covered = true), coveredAfter);
		else this.covered = false;
	}

	/** The player of a stream for a user, who calls leave when done. */
	join(
		stream: string,
		user: symbol,
		transport: Transport = 'WebRTC',
		keyframesOnly = false,
	): { player: StreamPlayer; leave: () => void } {
		const name = `${transport} ${keyframesOnly ? 'keyframes' : 'all'} ${stream}`;
		let player = this.#all.get(name);
		if (!player) this.#all.set(name, (player = new StreamPlayer(stream, transport, keyframesOnly)));
		const joined = player;
		joined.use(user);
		return { player: joined, leave: () => joined.leave(user, () => this.#all.delete(name)) };
	}
}

export const players = new Players();

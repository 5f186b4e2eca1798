// The live pictures on this page: one player a stream, however many places show it.
// So a source that comes to preview is there at once: its tile plays it already.
import { StreamClock, type ClockAnswer } from './videometer';
import type { Watch } from '../api/protocol.gen';
import { canDecode, WebCodecsPlayer } from './webcodecs';
import { WhepPlayer, off, type Playing } from './whep';

/** How a picture comes to this page. */
export type Way = 'WebRTC' | 'WebCodecs';

/**
 * The best way for a stream on this page: WebRTC, which costs least; WebCodecs for what
 * it can't carry, or only a part of; '' when there is none. Key pictures it carries
 * of every stream that it takes at all.
 */
export function wayOf(watch: Watch, able = canDecode(), keys = false): Way | '' {
	if (watch.webCodecs && able && (!watch.ok || (watch.reduced && !keys))) return 'WebCodecs';
	return watch.ok ? 'WebRTC' : '';
}

/** Why a stream is not shown, in words. */
export function whyNot(watch: Watch, secure = window.isSecureContext): string {
	const why = watch.reason || 'This picture can’t be shown here.';
	if (!watch.webCodecs) return why;
	return secure
		? `${why} This browser has no other way; Chrome and Edge do.`
		: `${why} By https, Chrome and Edge can show it.`;
}

const linger = 3000; // a picture that nobody shows is kept so long
const coveredAfter = 5000; // a short look at one costs the others nothing
const nodsAfter = 10_000; // a page behind another is often looked at again soon
const askClock = [500, 1000, 1000, 1000, 5000]; // often at first, then the last for ever

export class Picture {
	playing = $state.raw<Playing>(off);
	readonly clock = new StreamClock();
	readonly player: WhepPlayer | WebCodecsPlayer;
	readonly way: Way;
	readonly #stream: string;
	/** Who shows it, the first of them with its sound: two would echo. */
	#users = $state.raw<symbol[]>([]);
	#started = false;
	#leaving: ReturnType<typeof setTimeout> | undefined;
	#asking: ReturnType<typeof setTimeout> | undefined;

	constructor(stream: string, way: Way, keys: boolean) {
		this.#stream = stream;
		this.way = way;
		const changed = (p: Playing) => {
			this.playing = p;
			if (way === 'WebCodecs' && p.state === 'refused') pictures.cannot = new Set([...pictures.cannot, stream]);
		};
		this.player =
			way === 'WebCodecs'
				? new WebCodecsPlayer(stream, changed)
				: new WhepPlayer(`/whep/${encodeURIComponent(stream)}${keys ? '?video=keyframes' : ''}`, changed);
	}

	/** How old the picture on the screen is, where the player knows. */
	get age(): number | null {
		return this.player instanceof WebCodecsPlayer ? this.player.age : null;
	}

	/** How many pictures were decoded, where the player knows. */
	async decoded(): Promise<number | null> {
		return this.player instanceof WhepPlayer ? this.player.decoded() : null;
	}

	/** Whether this user's picture is the one to be heard. */
	sounds(user: symbol): boolean {
		return this.#users[0] === user;
	}

	use(user: symbol) {
		clearTimeout(this.#leaving);
		this.#users = [...this.#users, user];
		if (this.#started) return;
		this.#started = true;
		this.player.start();
		if (this.way === 'WebRTC') this.#askClock(0);
	}

	leave(user: symbol, gone: () => void) {
		this.#users = this.#users.filter((u) => u !== user);
		if (this.#users.length > 0) return;
		this.#leaving = setTimeout(() => {
			clearTimeout(this.#asking);
			this.#started = false;
			this.player.stop();
			gone();
		}, linger);
	}

	#askClock(times: number) {
		const wait = askClock[Math.min(times, askClock.length - 1)];
		this.#asking = setTimeout(() => {
			void this.#learn();
			this.#askClock(times + 1);
		}, wait);
	}

	async #learn() {
		if (this.playing.state !== 'playing' || document.hidden) return;
		try {
			const sent = performance.now();
			const answer = await fetch(`/api/v1/clock/${encodeURIComponent(this.#stream)}`);
			const got = performance.now();
			if (answer.ok) this.clock.learn((await answer.json()) as ClockAnswer, sent, got);
		} catch {
			// the figure goes; the picture does not need it
		}
	}
}

class Pictures {
	/** The stream that is listened to; '' for none. One at a time: a solo. */
	listening = $state('');
	/** Streams of a coding that this browser does not decode. */
	cannot = $state.raw<ReadonlySet<string>>(new Set());
	/** The page has been hidden for a while: nobody looks, so nothing is sent. */
	asleep = $state(false);
	/** A view has covered the others for a while: nothing is sent for what it hides. */
	covered = $state(false);
	#all = new Map<string, Picture>();
	#nodding: ReturnType<typeof setTimeout> | undefined;
	#covering: ReturnType<typeof setTimeout> | undefined;

	constructor() {
		document.addEventListener('visibilitychange', () => {
			clearTimeout(this.#nodding);
			if (document.hidden) this.#nodding = setTimeout(() => (this.asleep = true), nodsAfter);
			else this.asleep = false;
		});
	}

	/** Says whether a view covers the other pictures. They come back at once. */
	cover(on: boolean) {
		clearTimeout(this.#covering);
		if (on) this.#covering = setTimeout(() => (this.covered = true), coveredAfter);
		else this.covered = false;
	}

	/** The picture of a stream for a user, who says leave when done; keys: by WebRTC, its key pictures only. */
	show(stream: string, user: symbol, way: Way = 'WebRTC', keys = false): { picture: Picture; leave: () => void } {
		const name = `${way} ${keys ? 'key' : 'every'} ${stream}`;
		let picture = this.#all.get(name);
		if (!picture) this.#all.set(name, (picture = new Picture(stream, way, keys)));
		const shown = picture;
		shown.use(user);
		return { picture: shown, leave: () => shown.leave(user, () => this.#all.delete(name)) };
	}
}

export const pictures = new Pictures();

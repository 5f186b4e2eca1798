// The live pictures on this page: one player a stream, however many places show it.
// So a source that comes to preview is there at once: its tile plays it already.
import { StreamClock, type ClockAnswer } from './gauge';
import { WhepPlayer, off, type Playing } from './whep';

const linger = 3000; // a picture that nobody shows is kept so long
const askClock = [500, 1000, 1000, 1000, 5000]; // often at first, then the last for ever

export class Picture {
	playing = $state.raw<Playing>(off);
	readonly clock = new StreamClock();
	readonly player: WhepPlayer;
	readonly #stream: string;
	/** Who shows it, the first of them with its sound: two would echo. */
	#users = $state.raw<symbol[]>([]);
	#leaving: ReturnType<typeof setTimeout> | undefined;
	#asking: ReturnType<typeof setTimeout> | undefined;

	constructor(stream: string) {
		this.#stream = stream;
		this.player = new WhepPlayer(`/whep/${encodeURIComponent(stream)}`, (p) => (this.playing = p));
	}

	/** Whether this user's picture is the one to be heard. */
	sounds(user: symbol): boolean {
		return this.#users[0] === user;
	}

	use(user: symbol) {
		clearTimeout(this.#leaving);
		this.#users = [...this.#users, user];
		if (this.#asking) return;
		this.player.start();
		this.#askClock(0);
	}

	leave(user: symbol, gone: () => void) {
		this.#users = this.#users.filter((u) => u !== user);
		if (this.#users.length > 0) return;
		this.#leaving = setTimeout(() => {
			clearTimeout(this.#asking);
			this.#asking = undefined;
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
	#all = new Map<string, Picture>();

	/** The picture of a stream for a user, who says leave when done. */
	show(stream: string, user: symbol): { picture: Picture; leave: () => void } {
		let picture = this.#all.get(stream);
		if (!picture) this.#all.set(stream, (picture = new Picture(stream)));
		const shown = picture;
		shown.use(user);
		return { picture: shown, leave: () => shown.leave(user, () => this.#all.delete(stream)) };
	}
}

export const pictures = new Pictures();

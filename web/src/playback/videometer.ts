// Measures the video that is really shown: frame rate, freezes, and latency since it
// arrived at the server.

export interface VideoStats {
	fps: number | null; // null where the browser does not count frames
	frozenMs: number; // since the last new frame, 0 while it moves
	latencyMs: number | null; // null while unknown
}

/** One answer of /api/v1/clock/<stream>: when an RTP time arrived, on the server's clock. */
export interface ClockAnswer {
	rtp: number;
	arrivedMs: number;
	nowMs: number;
}

const rtpPerMs = 90;
const frozenAfter = 700;
const slowAnswer = 150;

/** Turns RTP times into arrival times on this page's clock. */
export class StreamClock {
	#rtp = 0;
	#localMs: number | null = null;
	#at = 0;
	#samples = 0;

	/** Whether there are enough samples to show a latency. */
	get settled(): boolean {
		return this.#samples >= 3;
	}

	/** sent and got are this page's times before and after the request. */
	learn(a: ClockAnswer, sent: number, got: number) {
		if (got - sent > slowAnswer) return; // not precise enough
		this.#samples++;
		const local = a.arrivedMs - a.nowMs + (sent + got) / 2;
		// Units arrive in bursts: the earliest arrival is the best sample, until the clocks have drifted.
		const before = this.arrived(a.rtp);
		if (before === null || local < before || got - this.#at > 30_000 || local - before > 1000) {
			this.#rtp = a.rtp;
			this.#localMs = local;
			this.#at = got;
		}
	}

	/** A frame was shown: it can't have arrived later than that. */
	shown(rtp: number, at: number) {
		if ((this.arrived(rtp) ?? 0) > at) [this.#rtp, this.#localMs] = [rtp, at];
	}

	/** When the unit with this RTP time arrived at the server, null when unknown. */
	arrived(rtp: number): number | null {
		if (this.#localMs === null) return null;
		return this.#localMs + ((rtp - this.#rtp) | 0) / rtpPerMs; // |0: RTP time wraps at 32 bits
	}
}

interface FrameInfo {
	rtpTimestamp?: number;
	expectedDisplayTime: number;
}

/** What the player may know where the browser does not report every frame. */
export interface PlayerFigures {
	age(): number | null; // of the frame on the screen
	decoded(): Promise<number | null>; // frames so far
}

/** Watches a video element and reports once a second. */
export class VideoMeter {
	#video: HTMLVideoElement;
	#report: (m: VideoStats) => void;
	#clock: StreamClock;
	#player: PlayerFigures;
	#before: number | null = null; // frames decoded, or the video's time, a second ago
	#frames = 0;
	#last: number;
	#counted: number; // when the last frame of the previous second was shown
	#ages: number[] = [];
	#handle = 0;
	#timer: ReturnType<typeof setInterval>;

	constructor(
		video: HTMLVideoElement,
		clock: StreamClock,
		report: (m: VideoStats) => void,
		player: Partial<PlayerFigures> = {},
	) {
		this.#video = video;
		this.#player = { age: () => null, decoded: async () => null, ...player };
		this.#clock = clock;
		this.#report = report;
		this.#last = this.#counted = performance.now();
		const each = typeof video.requestVideoFrameCallback === 'function';
		this.#timer = setInterval(() => (each ? this.#reportFrames() : void this.#reportCount()), 1000);
		if (each) this.#ask();
	}

	stop() {
		clearInterval(this.#timer);
		this.#video.cancelVideoFrameCallback?.(this.#handle);
	}

	#ask() {
		this.#handle = this.#video.requestVideoFrameCallback((now, frame) => {
			this.frame(now, frame);
			this.#ask();
		});
	}

	/** A new frame is on the screen. */
	frame(now: number, frame: FrameInfo) {
		this.#frames++;
		this.#last = now;
		if (frame.rtpTimestamp === undefined) return;
		const shown = Math.max(now, frame.expectedDisplayTime);
		this.#clock.shown(frame.rtpTimestamp, shown);
		const arrived = this.#clock.arrived(frame.rtpTimestamp);
		if (arrived !== null) this.#ages.push(shown - arrived);
	}

	// A browser that does not count frames still advances the video's time.
	async #reportCount() {
		const frames = await this.#player.decoded().catch(() => null);
		const now = performance.now();
		const is = frames ?? this.#video.currentTime;
		const first = this.#before === null;
		const more = is - (this.#before ?? is);
		const over = now - this.#counted;
		this.#before = is;
		this.#counted = now;
		if (more !== 0 || first || document.hidden) this.#last = now;
		const still = now - this.#last;
		this.#report({
			fps: frames === null ? null : (Math.max(0, more) * 1000) / over,
			frozenMs: still > frozenAfter ? still : 0,
			latencyMs: this.#player.age(),
		});
	}

	#reportFrames() {
		const now = performance.now();
		if (document.hidden) {
			this.#last = this.#counted = now; // a hidden page is not painted: that is no freeze
			this.#frames = 0;
		}
		const still = now - this.#last;
		const ages = this.#ages.sort((a, b) => a - b);
		const middle = ages[ages.length >> 1];
		this.#report({
			fps: this.#frames > 0 && this.#last > this.#counted ? (this.#frames * 1000) / (this.#last - this.#counted) : 0,
			frozenMs: still > frozenAfter ? still : 0,
			latencyMs: middle === undefined || !this.#clock.settled ? this.#player.age() : Math.max(0, middle),
		});
		this.#ages = [];
		if (this.#frames > 0) this.#counted = this.#last;
		this.#frames = 0;
	}
}

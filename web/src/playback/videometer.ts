// Measures the picture that is really shown: pictures a second, standing still, and
// its age since it came into the server.

export interface Measured {
	fps: number | null; // null where the browser does not count pictures
	frozenMs: number; // since the last new picture, 0 while it moves
	latencyMs: number | null; // null while it is not known
}

/** One answer of /api/v1/clock/<stream>: which RTP time came in when, on the server's clock. */
export interface ClockAnswer {
	rtp: number;
	arrivedMs: number;
	nowMs: number;
}

const rtpPerMs = 90;
const standsStill = 700;
const slowAnswer = 150;

/** Turns RTP times into times of arrival on this page's clock. */
export class StreamClock {
	#rtp = 0;
	#localMs: number | null = null;
	#at = 0;
	#samples = 0;

	/** Whether enough was learned to show a figure. */
	get settled(): boolean {
		return this.#samples >= 3;
	}

	/** sent and got are this page's times around the request. */
	learn(a: ClockAnswer, sent: number, got: number) {
		if (got - sent > slowAnswer) return; // it proves too little
		this.#samples++;
		const local = a.arrivedMs - a.nowMs + (sent + got) / 2;
		// Units arrive in lumps: the earliest arrival is the truest, but not for ever, as clocks drift.
		const before = this.arrived(a.rtp);
		if (before === null || local < before || got - this.#at > 30_000 || local - before > 1000) {
			this.#rtp = a.rtp;
			this.#localMs = local;
			this.#at = got;
		}
	}

	/** A picture was shown: it can't have come in later than that. */
	shown(rtp: number, at: number) {
		if ((this.arrived(rtp) ?? 0) > at) [this.#rtp, this.#localMs] = [rtp, at];
	}

	/** When the unit with this RTP time came into the server, null when unknown. */
	arrived(rtp: number): number | null {
		if (this.#localMs === null) return null;
		return this.#localMs + ((rtp - this.#rtp) | 0) / rtpPerMs; // |0: RTP time wraps at 32 bits
	}
}

interface FrameInfo {
	rtpTimestamp?: number;
	expectedDisplayTime: number;
}

/** What the player may know where the browser does not tell of each picture. */
export interface Asks {
	age(): number | null; // of the picture on the screen
	decoded(): Promise<number | null>; // pictures so far
}

/** Watches a video element and reports once a second. */
export class Gauge {
	#video: HTMLVideoElement;
	#report: (m: Measured) => void;
	#clock: StreamClock;
	#asks: Asks;
	#before: number | null = null; // pictures decoded, or the video's time, a second ago
	#frames = 0;
	#last: number;
	#counted: number; // when the last picture of the second before was shown
	#ages: number[] = [];
	#handle = 0;
	#timer: ReturnType<typeof setInterval>;

	constructor(video: HTMLVideoElement, clock: StreamClock, report: (m: Measured) => void, asks: Partial<Asks> = {}) {
		this.#video = video;
		this.#asks = { age: () => null, decoded: async () => null, ...asks };
		this.#clock = clock;
		this.#report = report;
		this.#last = this.#counted = performance.now();
		const each = typeof video.requestVideoFrameCallback === 'function';
		this.#timer = setInterval(() => (each ? this.#tell() : void this.#count()), 1000);
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

	/** A new picture is on the screen. */
	frame(now: number, frame: FrameInfo) {
		this.#frames++;
		this.#last = now;
		if (frame.rtpTimestamp === undefined) return;
		const shown = Math.max(now, frame.expectedDisplayTime);
		this.#clock.shown(frame.rtpTimestamp, shown);
		const arrived = this.#clock.arrived(frame.rtpTimestamp);
		if (arrived !== null) this.#ages.push(shown - arrived);
	}

	// What does not count pictures still knows that its time goes on.
	async #count() {
		const pictures = await this.#asks.decoded().catch(() => null);
		const now = performance.now();
		const is = pictures ?? this.#video.currentTime;
		const first = this.#before === null;
		const more = is - (this.#before ?? is);
		const over = now - this.#counted;
		this.#before = is;
		this.#counted = now;
		if (more !== 0 || first || document.hidden) this.#last = now;
		const still = now - this.#last;
		this.#report({
			fps: pictures === null ? null : (Math.max(0, more) * 1000) / over,
			frozenMs: still > standsStill ? still : 0,
			latencyMs: this.#asks.age(),
		});
	}

	#tell() {
		const now = performance.now();
		if (document.hidden) {
			this.#last = this.#counted = now; // a hidden page is shown no pictures: that proves nothing
			this.#frames = 0;
		}
		const still = now - this.#last;
		const ages = this.#ages.sort((a, b) => a - b);
		const middle = ages[ages.length >> 1];
		this.#report({
			fps: this.#frames > 0 && this.#last > this.#counted ? (this.#frames * 1000) / (this.#last - this.#counted) : 0,
			frozenMs: still > standsStill ? still : 0,
			latencyMs: middle === undefined || !this.#clock.settled ? this.#asks.age() : Math.max(0, middle),
		});
		this.#ages = [];
		if (this.#frames > 0) this.#counted = this.#last;
		this.#frames = 0;
	}
}

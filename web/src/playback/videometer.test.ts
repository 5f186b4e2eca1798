import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { VideoMeter, StreamClock, type VideoStats } from './videometer';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('an RTP time becomes an arrival time on this page, also when it wraps', () => {
	const clock = new StreamClock();
	expect(clock.arrived(5)).toBeNull();
	// The server's clock reads 1000 when the page's reads 10 (between 8 and 12); the unit arrived 20 ms before.
	clock.learn({ rtp: 0xffffff00, arrivedMs: 980, nowMs: 1000 }, 8, 12);
	expect(clock.arrived(0xffffff00)).toBeCloseTo(-10);
	expect(clock.arrived((0xffffff00 + 9000) >>> 0)).toBeCloseTo(90);
	expect(clock.arrived(0xffffff00 - 900)).toBeCloseTo(-20);
});

test('the earliest arrival counts, and a restarted stream is measured again', () => {
	const clock = new StreamClock();
	clock.learn({ rtp: 0, arrivedMs: 100, nowMs: 100 }, 100, 100);
	clock.learn({ rtp: 9000, arrivedMs: 230, nowMs: 230 }, 230, 230); // 30 ms late
	expect(clock.arrived(9000)).toBeCloseTo(200);
	clock.learn({ rtp: 18000, arrivedMs: 290, nowMs: 290 }, 290, 290); // 10 ms early
	expect(clock.arrived(18000)).toBeCloseTo(290);
	clock.learn({ rtp: 900, arrivedMs: 9000, nowMs: 9000 }, 9000, 9000);
	expect(clock.arrived(900)).toBeCloseTo(9000);
});

test('a slow answer is ignored, and no frame is shown before it arrived', () => {
	const clock = new StreamClock();
	clock.learn({ rtp: 0, arrivedMs: 0, nowMs: 0 }, 0, 900);
	expect(clock.arrived(0)).toBeNull();
	clock.learn({ rtp: 0, arrivedMs: 50, nowMs: 50 }, 50, 50);
	clock.shown(0, 40);
	expect(clock.arrived(900)).toBeCloseTo(50);
});

function meter(clock = new StreamClock()) {
	const seen: VideoStats[] = [];
	const g = new VideoMeter({ requestVideoFrameCallback: () => 0 } as unknown as HTMLVideoElement, clock, (m) =>
		seen.push(m),
	);
	return { g, seen };
}

test('the frames that are shown are counted', () => {
	const { g, seen } = meter();
	for (let i = 0; i < 30; i++) {
		vi.advanceTimersByTime(33);
		g.frame(performance.now(), { expectedDisplayTime: performance.now() });
	}
	vi.advanceTimersByTime(10);
	expect(seen[0]?.fps).toBeCloseTo(30, 0);
	expect(seen[0]?.frozenMs).toBe(0);
	g.stop();
});

test('a frozen video is reported', () => {
	const { g, seen } = meter();
	g.frame(performance.now(), { expectedDisplayTime: performance.now() });
	vi.advanceTimersByTime(3000);
	expect(seen.at(-1)).toMatchObject({ fps: 0, latencyMs: null });
	expect(seen.at(-1)?.frozenMs).toBeGreaterThan(2900);
	g.stop();
});

test('latency is measured from the arrival at the server', () => {
	const clock = new StreamClock();
	const t = performance.now();
	for (let i = 0; i < 3; i++) clock.learn({ rtp: 0, arrivedMs: 0, nowMs: 0 }, t, t);
	const { g, seen } = meter(clock);
	for (let i = 1; i <= 20; i++)
		g.frame(t + i * 33, { rtpTimestamp: i * 33 * 90, expectedDisplayTime: t + i * 33 + 24 });
	vi.advanceTimersByTime(1000);
	expect(seen[0]?.latencyMs).toBeCloseTo(24, 0);
	g.stop();
});

test('a browser that does not report every frame is not called frozen', async () => {
	const seen: VideoStats[] = [];
	let decoded: number | null = 0;
	const g = new VideoMeter({ currentTime: 0 } as HTMLVideoElement, new StreamClock(), (m) => seen.push(m), {
		decoded: async () => decoded,
	});
	for (let i = 0; i < 4; i++) {
		await vi.advanceTimersByTimeAsync(1000);
		decoded += 25;
	}
	expect(seen.every((m) => m.frozenMs === 0)).toBe(true);
	expect(seen.at(-1)).toMatchObject({ fps: 25, latencyMs: null });
	await vi.advanceTimersByTimeAsync(3000);
	expect(seen.at(-1)).toMatchObject({ fps: 0 });
	expect(seen.at(-1)?.frozenMs).toBeGreaterThan(1900);
	g.stop();
});

test('where no frames are counted, the time of the video shows whether it moves', async () => {
	const seen: VideoStats[] = [];
	const video = { currentTime: 0 } as HTMLVideoElement;
	const g = new VideoMeter(video, new StreamClock(), (m) => seen.push(m));
	for (let i = 0; i < 3; i++) {
		await vi.advanceTimersByTimeAsync(1000);
		video.currentTime += 1;
	}
	expect(seen.at(-1)).toEqual({ fps: null, frozenMs: 0, latencyMs: null });
	await vi.advanceTimersByTimeAsync(4000);
	expect(seen.at(-1)?.frozenMs).toBeGreaterThan(2900);
	g.stop();
});

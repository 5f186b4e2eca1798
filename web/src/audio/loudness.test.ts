import { describe, expect, test } from 'vitest';
import { PeakMeter, place, silence } from './peakmeter';
import { kWeighting, LoudnessMeter } from './loudness';

/** A tone through the K-weighting, as the browser's filters would do it. */
function tone(db: number, seconds: number, hz = 997): Float32Array {
	let samples = Float64Array.from(
		{ length: 48_000 * seconds },
		(_, i) => 10 ** (db / 20) * Math.sin((2 * Math.PI * hz * i) / 48_000),
	);
	for (const [b, a] of kWeighting) {
		const out = new Float64Array(samples.length);
		for (let i = 0; i < samples.length; i++) {
			for (let k = 0; k < 3; k++) out[i]! += b[k]! * (samples[i - k] ?? 0) - (k ? a[k]! * (out[i - k] ?? 0) : 0);
		}
		samples = out;
	}
	return Float32Array.from(samples);
}

describe('loudness', () => {
	// EBU Tech 3341, test signals 1 and 3.
	test('a stereo tone of -23 dBFS is -23 LUFS in every measure', () => {
		const meter = new LoudnessMeter();
		const t = tone(-23, 20);
		meter.feed([t, t]);
		expect(meter.now.momentary).toBeCloseTo(-23, 1);
		expect(meter.now.shortTerm).toBeCloseTo(-23, 1);
		expect(meter.now.integrated).toBeCloseTo(-23, 1);
	});

	test('quiet passages do not count in the integrated loudness', () => {
		const meter = new LoudnessMeter();
		for (const [db, s] of [
			[-36, 10],
			[-23, 60],
			[-36, 10],
		] as const) {
			const t = tone(db, s);
			meter.feed([t, t]);
		}
		expect(meter.now.integrated).toBeCloseTo(-23, 0);
		expect(meter.now.momentary).toBeCloseTo(-36, 1);
	});

	test('silence has no loudness', () => {
		const meter = new LoudnessMeter();
		meter.feed([new Float32Array(48_000)]);
		expect(meter.now).toEqual({ momentary: -Infinity, shortTerm: -Infinity, integrated: -Infinity });
	});

	test('the block size changes nothing', () => {
		const [whole, pieces] = [new LoudnessMeter(), new LoudnessMeter()];
		const t = tone(-20, 4);
		whole.feed([t]);
		for (let i = 0; i < t.length; i += 777) pieces.feed([t.subarray(i, i + 777)]);
		expect(pieces.now.momentary).toBeCloseTo(whole.now.momentary, 6);
	});
});

describe('a peak meter', () => {
	test('rises at once and decays slowly, its held peak a while later', () => {
		const meter = new PeakMeter();
		meter.update(-12, 1000);
		expect([meter.level, meter.peak]).toEqual([-12, -12]);
		meter.update(-90, 1500);
		expect(meter.level).toBeCloseTo(-24);
		expect(meter.peak).toBe(-12);
		meter.update(-90, 3000);
		expect(meter.peak).toBe(meter.level);
		for (let t = 3000; t < 9000; t += 50) meter.update(silence, t);
		expect(meter.level).toBe(silence);
	});

	test('stays within its scale', () => {
		expect([place(-100), place(-60), place(-30), place(0), place(6)]).toEqual([0, 0, 0.5, 1, 1]);
	});
});

import { describe, expect, test } from 'vitest';
import type { DestinationStatus, Feed, ProgramState } from '../api/protocol.gen';
import { destinationText, feedText, programText, outputText, rate, running, span } from './text';

const now = Date.parse('2026-05-01T18:00:00Z');
const at = (s: number) => new Date(now + s * 1000).toISOString();

const d = (change: Partial<DestinationStatus>): DestinationStatus => ({
	id: 'yt',
	name: 'YouTube',
	url: 'rtmp://x/y',
	enabled: true,
	hasKey: true,
	state: 'off',
	since: at(-9),
	attempt: 0,
	backup: false,
	kbps: 0,
	latencyMs: 0,
	framesDropped: 0,
	bytesSent: 0,
	...change,
});
const f = (change: Partial<Feed>): Feed => ({
	id: 'cam1',
	name: 'Bench',
	added: true,
	hasKey: true,
	state: 'live',
	kbps: 0,
	fps: 0,
	keyframeIntervalMs: 0,
	viewers: 0,
	watch: { ok: true },
	...change,
});
const p = (change: Partial<ProgramState>): ProgramState => ({
	onAir: 'cam1',
	target: 'cam1',
	since: at(-5),
	level: 'mixer',
	splices: 0,
	timeoutMs: 0,
	kbps: 0,
	fps: 0,
	watch: { ok: true },
	...change,
});

test('times and rates are short', () => {
	expect([running(7_400), running(754_000), running(3_723_000), running(-5)]).toEqual([
		'0:07',
		'12:34',
		'1:02:03',
		'0:00',
	]);
	expect([span(4_000), span(99_000), span(180_000), span(7_200_000), span(400_000_000)]).toEqual([
		'4 s',
		'99 s',
		'3 min',
		'2 h',
		'5 days',
	]);
	expect([rate(640), rate(2_560), rate(12_000), rate(120_000)]).toEqual([
		'640 kbit/s',
		'2.6 Mbit/s',
		'12.0 Mbit/s',
		'120 Mbit/s',
	]);
});

describe('the text of a destination', () => {
	test('live shows the bitrate and the latency', () => {
		expect(destinationText(d({ state: 'live', kbps: 4500, latencyMs: 40 }), now)).toEqual({
			status: 'on',
			label: 'LIVE',
			figure: '4.5 Mbit/s',
			sentence: '',
		});
		expect(destinationText(d({ state: 'live', kbps: 4500, latencyMs: 2400 }), now)).toMatchObject({
			status: 'warning',
			figure: '4.5 Mbit/s · 2.4 s behind',
		});
		expect(destinationText(d({ state: 'live', kbps: 4500, backup: true, framesDropped: 7 }), now).sentence).toBe(
			'On the backup address. 7 frames dropped.',
		);
	});

	test('a destination with one of two endpoints connected is live with a warning', () => {
		expect(
			destinationText(
				d({
					state: 'live',
					kbps: 4500,
					sendToBoth: true,
					reason: 'YouTube: the backup is not live: it closed the connection',
				}),
				now,
			),
		).toMatchObject({
			status: 'warning',
			label: 'LIVE',
			sentence: 'YouTube: the backup is not live: it closed the connection.',
		});
	});

	test('retrying shows the reason, the next attempt and the number of attempts', () => {
		expect(
			destinationText(d({ state: 'retrying', reason: 'the server does not answer', nextTry: at(4), attempt: 3 }), now),
		).toEqual({
			status: 'warning',
			label: 'RETRYING',
			figure: 'next attempt in 4 s',
			sentence: 'The server does not answer. 3 attempts so far.',
		});
		expect(destinationText(d({ state: 'retrying', nextTry: at(-1) }), now)).toMatchObject({
			figure: 'retrying now',
			sentence: 'The connection was lost.',
		});
	});

	test('the grace period of a platform is a countdown and is not repeated in the sentence', () => {
		const graceDeadline = { platform: 'Twitch', at: at(41), graceMs: 90_000 };
		const is = destinationText(
			d({
				state: 'retrying',
				reason: 'Twitch closed the connection. Twitch ends the broadcast in about 41 s',
				nextTry: at(4),
				attempt: 1,
				graceDeadline,
			}),
			now,
		);
		expect(is).toMatchObject({
			label: 'RETRYING',
			figure: '',
			sentence: 'Next attempt in 4 s. Twitch closed the connection.',
		});
		expect(is.graceDeadline).toMatchObject({
			short: 'ends in',
			time: '41 s',
			sentence: expect.stringContaining('Twitch ends the broadcast in about 41 s.'),
		});
		expect(is.graceDeadline?.share).toBeCloseTo(41 / 90);
		expect(
			destinationText(
				d({
					state: 'connecting',
					reason: 'Twitch may have ended the broadcast',
					graceDeadline: { ...graceDeadline, at: at(-3) },
				}),
				now,
			),
		).toMatchObject({ sentence: 'Connecting.', graceDeadline: { share: 0, short: 'may have ended' } });
	});

	test('refused shows the reason of the server', () => {
		expect(destinationText(d({ state: 'refused', reason: 'wrong key' }), now)).toMatchObject({
			status: 'fault',
			label: 'REFUSED',
			sentence: 'Wrong key.',
		});
	});

	test('off shows whether it starts with the show', () => {
		expect(destinationText(d({}), now).sentence).toBe('Starts with the show.');
		expect(destinationText(d({ enabled: false }), now).sentence).toBe('Stays off until you start it.');
	});

	test('a state of a newer server is shown as it is', () => {
		expect(destinationText(d({ state: 'paused' as never }), now).label).toBe('PAUSED');
	});
});

describe('the text of a feed', () => {
	test('a healthy feed has none', () => {
		expect(feedText(f({}), now)).toEqual({ status: 'on', label: '', sentence: '' });
	});
	test('a lost feed shows for how long', () => {
		expect(feedText(f({ state: 'lost', since: at(-12) }), now)).toMatchObject({
			status: 'fault',
			label: 'LOST',
			sentence: 'No signal for 12 s.',
		});
	});
	test("the server's own problem comes first", () => {
		expect(feedText(f({ state: 'retrying', problem: 'wrong password' }), now)).toMatchObject({
			label: 'RETRYING',
			sentence: 'Wrong password.',
		});
	});
});

test('an output that is off shows the reason and nothing else', () => {
	expect(outputText({ name: 'stream', state: 'off', reason: 'OBS could not start it' }, now).sentence).toBe(
		'OBS could not start it.',
	);
	expect(outputText({ name: 'stream', state: 'off', reason: 'it stopped unexpectedly' }, now).sentence).toBe(
		'It stopped unexpectedly.',
	);
	expect(outputText({ name: 'stream', state: 'off' }, now).sentence).toBe('');
});

describe('the text of the program', () => {
	const name = (s: string) => ({ cam1: 'Bench', cam2: 'Crane' })[s] ?? s;
	test('the mixer on air has none', () => {
		expect(programText(p({}), name)).toBe('');
	});
	test('a freeze frame shows which source has no signal', () => {
		expect(programText(p({ level: 'freeze', onAir: '' }), name)).toBe('Freeze frame: no signal from Bench.');
		expect(programText(p({ level: 'freeze', onAir: '', reason: 'cam1 disconnected' }), name)).toBe(
			'Freeze frame: Bench disconnected.',
		);
	});
	test('a backup shows which feed, and that failover is off', () => {
		expect(programText(p({ level: 'backup', onAir: 'cam2', failoverOff: true }), name)).toBe(
			'Backup on air (Crane): no signal from Bench. Failover is off.',
		);
	});
});

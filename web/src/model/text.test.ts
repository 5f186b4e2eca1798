import { describe, expect, test } from 'vitest';
import type { DestinationStatus, Feed, ProgramState } from '../api/protocol.gen';
import { destination, feed, ladder, output, rate, running, span } from './text';

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
		'640 kb/s',
		'2.6 Mb/s',
		'12.0 Mb/s',
		'120 Mb/s',
	]);
});

describe('a destination in words', () => {
	test('live says how much leaves and how far behind', () => {
		expect(destination(d({ state: 'live', kbps: 4500, latencyMs: 40 }), now)).toEqual({
			light: 'on',
			word: 'LIVE',
			figure: '4.5 Mb/s',
			sentence: '',
		});
		expect(destination(d({ state: 'live', kbps: 4500, latencyMs: 2400 }), now)).toMatchObject({
			light: 'trouble',
			figure: '4.5 Mb/s · 2.4 s behind',
		});
		expect(destination(d({ state: 'live', kbps: 4500, backup: true, framesDropped: 7 }), now).sentence).toBe(
			'On the backup address. 7 pictures left out.',
		);
	});

	test('twins of which one is away are live, but not well', () => {
		expect(
			destination(
				d({
					state: 'live',
					kbps: 4500,
					sendToBoth: true,
					reason: 'YouTube: the backup is not live: it closed the connection',
				}),
				now,
			),
		).toMatchObject({
			light: 'trouble',
			word: 'LIVE',
			sentence: 'YouTube: the backup is not live: it closed the connection.',
		});
	});

	test('retrying says why, when next, and how often', () => {
		expect(
			destination(d({ state: 'retrying', reason: 'the server does not answer', nextTry: at(4), attempt: 3 }), now),
		).toEqual({
			light: 'trouble',
			word: 'RETRYING',
			figure: 'next try in 4 s',
			sentence: 'The server does not answer. 3 tries so far.',
		});
		expect(destination(d({ state: 'retrying', nextTry: at(-1) }), now)).toMatchObject({
			figure: 'trying now',
			sentence: 'The connection broke.',
		});
	});

	test('how long its platform still waits is a countdown, and said once', () => {
		const graceDeadline = { platform: 'Twitch', at: at(41), graceMs: 90_000 };
		const is = destination(
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
			word: 'RETRYING',
			figure: '',
			sentence: 'Next try in 4 s. Twitch closed the connection.',
		});
		expect(is.graceDeadline).toMatchObject({
			short: 'ends in',
			time: '41 s',
			sentence: expect.stringContaining('Twitch ends the broadcast in about 41 s.'),
		});
		expect(is.graceDeadline?.share).toBeCloseTo(41 / 90);
		expect(
			destination(
				d({
					state: 'connecting',
					reason: 'Twitch may have ended the broadcast',
					graceDeadline: { ...graceDeadline, at: at(-3) },
				}),
				now,
			),
		).toMatchObject({ sentence: 'Dialling.', graceDeadline: { share: 0, short: 'may have ended' } });
	});

	test('refused gives the reason of the server', () => {
		expect(destination(d({ state: 'refused', reason: 'wrong key' }), now)).toMatchObject({
			light: 'fault',
			word: 'REFUSED',
			sentence: 'Wrong key.',
		});
	});

	test('off says whether it starts with the show', () => {
		expect(destination(d({}), now).sentence).toBe('Starts with the show.');
		expect(destination(d({ enabled: false }), now).sentence).toBe('Stays off until you start it.');
	});

	test('a state of a newer server is shown as it is', () => {
		expect(destination(d({ state: 'paused' as never }), now).word).toBe('PAUSED');
	});
});

describe('a feed in words', () => {
	test('a good feed needs none', () => {
		expect(feed(f({}), now)).toEqual({ light: 'on', word: '', sentence: '' });
	});
	test('a lost one says since when', () => {
		expect(feed(f({ state: 'lost', since: at(-12) }), now)).toMatchObject({
			light: 'fault',
			word: 'LOST',
			sentence: 'It stopped sending 12 s ago.',
		});
	});
	test("the server's own words come first", () => {
		expect(feed(f({ state: 'retrying', problem: 'wrong password' }), now)).toMatchObject({
			word: 'RETRYING',
			sentence: 'Wrong password.',
		});
	});
});

test('an output that is off says why, and no more than that', () => {
	expect(output({ name: 'stream', state: 'off', reason: 'OBS could not start it' }, now).sentence).toBe(
		'OBS could not start it.',
	);
	expect(output({ name: 'stream', state: 'off', reason: 'it ended by itself' }, now).sentence).toBe(
		'It ended by itself.',
	);
	expect(output({ name: 'stream', state: 'off' }, now).sentence).toBe('');
});

describe('the ladder in words', () => {
	const name = (s: string) => ({ cam1: 'Bench', cam2: 'Crane' })[s] ?? s;
	test('nothing to say while the mixer is on air', () => {
		expect(ladder(p({}), name)).toBe('');
	});
	test('a held picture says who is silent', () => {
		expect(ladder(p({ level: 'freeze', onAir: '' }), name)).toBe('The last picture is held: Bench sends nothing.');
		expect(ladder(p({ level: 'freeze', onAir: '', reason: 'cam1 is gone' }), name)).toBe(
			'The last picture is held: Bench is gone.',
		);
	});
	test('a backup says which, and that an operator keeps it', () => {
		expect(ladder(p({ level: 'backup', onAir: 'cam2', failoverOff: true }), name)).toBe(
			'Backup on air (Crane): Bench sends nothing. An operator keeps it there.',
		);
	});
});

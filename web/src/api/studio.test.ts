import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { State } from './protocol.gen';
import { Studio } from './studio.svelte';
import { empty, type Browser, type Socket } from './types';

class FakeSocket implements Socket {
	onopen: (() => void) | null = null;
	onmessage: ((e: { data: unknown }) => void) | null = null;
	onclose: (() => void) | null = null;
	sent: { id: number; method: string; params: unknown }[] = [];
	closed = false;
	send(data: string) {
		this.sent.push(JSON.parse(data));
	}
	close() {
		this.closed = true;
	}
	say(message: object) {
		this.onmessage?.({ data: JSON.stringify({ jsonrpc: '2.0', ...message }) });
	}
	state(rev: number, sections: Partial<State>, role?: string) {
		this.say({ method: 'state', params: { rev, sections, you: role && { name: 'Anna', role } } });
	}
	last() {
		return this.sent.at(-1)!;
	}
}

let sockets: FakeSocket[];
let status: Record<string, number>;
let studio: Studio;

const newest = () => sockets.at(-1)!;
const mixer = (program: string) => ({ ...empty.mixer, program });

beforeEach(() => {
	vi.useFakeTimers();
	sockets = [];
	status = {};
	const browser: Browser = {
		open: () => (sockets.push(new FakeSocket()), newest()),
		fetch: async (path) =>
			new Response('{}', { status: status[path] ?? 200, headers: { Date: new Date(Date.now()).toUTCString() } }),
		random: () => 0.5,
	};
	studio = new Studio(browser);
});

afterEach(() => {
	studio.stop();
	vi.useRealTimers();
});

async function connected(role = 'admin') {
	await studio.start();
	newest().state(1, empty, role);
}

describe('the state', () => {
	test('the connection is up only once the complete state has arrived', async () => {
		await studio.start();
		newest().onopen?.();
		expect(studio.up).toBe(false);
		newest().state(7, { ...empty, mixer: mixer('cam1') });
		expect(studio.up).toBe(true);
		expect(studio.loaded).toBe(true);
		expect(studio.state.mixer.program).toBe('cam1');
		expect(studio.rev).toBe(7);
	});

	test('sections that arrive close together are applied once, the newest of each', async () => {
		await connected();
		newest().state(2, { mixer: mixer('cam1') });
		newest().state(3, { mixer: mixer('cam2') });
		newest().state(4, { tally: { cam2: 'program' } });
		expect(studio.state.mixer.program).toBe('');
		vi.advanceTimersByTime(20);
		expect(studio.state.mixer.program).toBe('cam2');
		expect(studio.state.tally).toEqual({ cam2: 'program' });
		expect(studio.rev).toBe(4);
	});

	test('the first state after a reconnect replaces everything, also with a lower revision', async () => {
		await connected();
		newest().state(90, { mixer: mixer('cam1'), tally: { cam1: 'program' } });
		vi.advanceTimersByTime(20);
		newest().onclose?.();
		vi.advanceTimersByTime(300);
		newest().state(3, { mixer: mixer('cam2') });
		expect(studio.state.mixer.program).toBe('cam2');
		expect(studio.state.tally).toEqual({});
		expect(studio.rev).toBe(3);
	});

	test('sections not yet applied when the connection is lost are dropped', async () => {
		await connected();
		newest().state(2, { mixer: mixer('cam1') });
		newest().onclose?.();
		vi.advanceTimersByTime(100);
		expect(studio.state.mixer.program).toBe('');
	});
});

describe('the connection', () => {
	test('reconnects automatically, with longer waits each time', async () => {
		await connected();
		newest().onclose?.();
		expect(studio.connection.state).toBe('lost');
		const waits: number[] = [];
		for (let i = 0; i < 7; i++) {
			const before = sockets.length;
			let waited = 0;
			while (sockets.length === before) waited += (vi.advanceTimersByTime(50), 50);
			waits.push(waited);
			newest().onclose?.();
		}
		expect(waits).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
	});

	test('keeps the time it was lost over all attempts', async () => {
		await connected();
		const at = Date.now();
		newest().onclose?.();
		vi.advanceTimersByTime(2000);
		newest().onclose?.();
		expect(studio.connection).toMatchObject({ state: 'lost', since: at });
	});

	test('a silent server is pinged, then the connection is given up', async () => {
		await connected();
		const [first, begun] = [newest(), Date.now()];
		vi.advanceTimersByTime(5000);
		expect(first.last().method).toBe('ping');
		expect(studio.up).toBe(true);
		vi.advanceTimersByTime(5000);
		expect(studio.connection).toMatchObject({ state: 'lost', since: begun });
		expect(first.closed).toBe(true);
	});

	test('the state of a silent server is marked as old until it sends something', async () => {
		await connected();
		vi.advanceTimersByTime(3000);
		expect(newest().last().method).toBe('ping');
		expect(studio.silentMs).toBe(0);
		vi.advanceTimersByTime(2000);
		expect(studio.up).toBe(true);
		expect(studio.silentMs).toBeGreaterThan(3500);
		newest().state(2, { mixer: mixer('cam1') });
		expect(studio.silentMs).toBe(0);
		vi.advanceTimersByTime(5000);
		expect(studio.silentMs).toBeGreaterThan(0);
		newest().onclose?.();
		expect(studio.silentMs).toBe(0);
	});

	test('any answer keeps the connection up', async () => {
		await connected();
		for (let i = 0; i < 10; i++) {
			vi.advanceTimersByTime(3000);
			newest().say({ id: 0, error: { code: -32601, message: 'no such method' } });
		}
		expect(studio.up).toBe(true);
	});

	test('a websocket that does not open is given up', async () => {
		await studio.start();
		vi.advanceTimersByTime(5100);
		expect(studio.connection.state).toBe('lost');
	});

	test('a client without a session is asked to log in', async () => {
		status['/api/v1/state'] = 401;
		await studio.start();
		newest().onclose?.();
		await vi.advanceTimersByTimeAsync(10);
		expect(studio.connection.state).toBe('login');
		const before = sockets.length;
		await vi.advanceTimersByTimeAsync(20_000);
		expect(sockets.length).toBe(before);
	});

	test('a client whose access was revoked learns why', async () => {
		await connected();
		status['/api/v1/state'] = 401;
		newest().onclose?.();
		vi.advanceTimersByTime(300);
		newest().onclose?.();
		await vi.advanceTimersByTimeAsync(10);
		expect(studio.connection).toMatchObject({
			state: 'login',
			reason: expect.stringContaining('Your access was revoked'),
		});
	});

	test('a server that returns with another version makes this page outdated', async () => {
		await studio.start();
		newest().state(1, { ...empty, show: { ...empty.show, version: 'v1' } });
		expect(studio.outdated).toBe(false);
		newest().onclose?.();
		vi.advanceTimersByTime(300);
		newest().state(1, { ...empty, show: { ...empty.show, version: 'v2' } });
		expect(studio.outdated).toBe(true);
	});

	test('a wrong token is refused with a reason, a valid one connects', async () => {
		status['/api/v1/login'] = 401;
		await studio.login('wrong');
		expect(studio.connection).toMatchObject({ state: 'login', reason: 'This token is not valid.' });
		status['/api/v1/login'] = 204;
		await studio.login('right');
		newest().state(1, empty, 'operator');
		expect(studio.up).toBe(true);
		expect(studio.you).toEqual({ name: 'Anna', role: 'operator' });
	});

	test('an expired login link does not end a valid session', async () => {
		status['/api/v1/login'] = 401;
		await studio.start('stale');
		newest().state(1, empty, 'operator');
		expect(studio.up).toBe(true);
	});

	test('an unreadable message closes the connection and nothing else', async () => {
		await connected();
		newest().onmessage?.({ data: '{{{' });
		expect(studio.connection.state).toBe('lost');
	});
});

describe('commands', () => {
	test('a command is pending until the server answers', async () => {
		await connected();
		const sent = studio.send('mixer.cut', { source: 'cam1' });
		expect(newest().last()).toMatchObject({ jsonrpc: '2.0', method: 'mixer.cut', params: { source: 'cam1' } });
		expect(studio.pending('mixer.cut')).toBe(true);
		expect(studio.pending('mixer.cut', { source: 'cam1' })).toBe(true);
		expect(studio.pending('mixer.cut', { source: 'cam2' })).toBe(false);
		newest().say({ id: newest().last().id, result: null });
		expect(await sent).toEqual({ ok: true, result: null });
		expect(studio.pending('mixer.cut')).toBe(false);
		expect(studio.failures).toEqual([]);
	});

	test('the state does not change before the server says so', async () => {
		await connected();
		void studio.send('mixer.cut', { source: 'cam1' });
		expect(studio.state.mixer.program).toBe('');
	});

	test('a refusal keeps its reason until it is dismissed', async () => {
		await connected();
		const sent = studio.send('mixer.preview', { source: 'x' }, 'Preview x');
		const { id } = newest().last();
		newest().say({ id, error: { code: -32000, message: 'the mixer has no such source', data: { code: 'not_found' } } });
		expect(await sent).toEqual({ ok: false, unknown: false, message: 'the mixer has no such source' });
		expect(studio.failures).toMatchObject([
			{ about: 'Preview x', state: 'refused', message: 'the mixer has no such source' },
		]);
		studio.dismiss(id);
		expect(studio.failures).toEqual([]);
	});

	test('a command is unknown when the connection is lost, and is not sent again', async () => {
		await connected();
		const sent = studio.send('mixer.cut', {}, 'Cut');
		newest().onclose?.();
		expect(await sent).toMatchObject({ ok: false, unknown: true });
		expect(studio.failures).toMatchObject([{ about: 'Cut', state: 'unknown' }]);
		vi.advanceTimersByTime(300);
		newest().state(1, empty);
		expect(newest().sent).toEqual([]);
	});

	test('a late answer settles an unknown command', async () => {
		await connected();
		void studio.send('mixer.cut', {}, 'Cut');
		const { id } = newest().last();
		for (let i = 0; i < 7; i++) {
			vi.advanceTimersByTime(1000);
			newest().state(2 + i, {});
		}
		expect(studio.failures).toMatchObject([{ state: 'unknown' }]);
		newest().say({ id, result: null });
		expect(studio.failures).toEqual([]);
		expect(studio.commands.at(-1)?.state).toBe('confirmed');
	});

	test('a command that timed out in the server is unknown', async () => {
		await connected();
		const sent = studio.send('mixer.cut', {}, 'Cut');
		newest().say({
			id: newest().last().id,
			error: { code: -32000, message: 'no answer in time', data: { code: 'timeout' } },
		});
		expect(await sent).toMatchObject({ ok: false, unknown: true });
		expect(studio.failures).toMatchObject([{ state: 'unknown' }]);
	});

	test('without a connection nothing is sent', async () => {
		await connected();
		const socket = newest();
		socket.onclose?.();
		expect(await studio.send('mixer.cut', {})).toMatchObject({ ok: false, unknown: false });
		expect(socket.sent).toEqual([]);
	});

	test('the number of remembered commands is bounded', async () => {
		await connected();
		for (let i = 0; i < 200; i++) {
			void studio.send('mixer.cut', {});
			newest().say({ id: newest().last().id, result: null });
		}
		expect(studio.commands.length).toBeLessThan(60);
	});
});

test('each role may do what lower roles may', async () => {
	await connected('operator');
	expect(studio.may('mixer.cut')).toBe(true);
	expect(studio.may('show.live')).toBe(false);
	expect(studio.blocked('mixer.cut')).toBe('');
	expect(studio.blocked('show.live')).toContain('director');
	newest().onclose?.();
	expect(studio.blocked('mixer.cut')).toContain('connection');
});

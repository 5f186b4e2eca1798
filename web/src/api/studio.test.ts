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
	test('the link is up only once the whole state is there', async () => {
		await studio.start();
		newest().onopen?.();
		expect(studio.up).toBe(false);
		newest().state(7, { ...empty, mixer: mixer('cam1') });
		expect(studio.up).toBe(true);
		expect(studio.known).toBe(true);
		expect(studio.state.mixer.program).toBe('cam1');
		expect(studio.rev).toBe(7);
	});

	test('sections that come close together are drawn once, the newest of each', async () => {
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

	test('what is still in the air when the link breaks is not shown later', async () => {
		await connected();
		newest().state(2, { mixer: mixer('cam1') });
		newest().onclose?.();
		vi.advanceTimersByTime(100);
		expect(studio.state.mixer.program).toBe('');
	});
});

describe('the link', () => {
	test('comes back by itself, waiting longer each time', async () => {
		await connected();
		newest().onclose?.();
		expect(studio.link.state).toBe('lost');
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

	test('keeps saying since when it is lost, over all tries', async () => {
		await connected();
		const at = Date.now();
		newest().onclose?.();
		vi.advanceTimersByTime(2000);
		newest().onclose?.();
		expect(studio.link).toMatchObject({ state: 'lost', since: at });
	});

	test('a silent server is asked for a sign of life, then taken for gone', async () => {
		await connected();
		const [first, begun] = [newest(), Date.now()];
		vi.advanceTimersByTime(5000);
		expect(first.last().method).toBe('ping');
		expect(studio.up).toBe(true);
		vi.advanceTimersByTime(5000);
		expect(studio.link).toMatchObject({ state: 'lost', since: begun });
		expect(first.closed).toBe(true);
	});

	test('what a silent server said last is said to be old, until it says something', async () => {
		await connected();
		vi.advanceTimersByTime(3000);
		expect(newest().last().method).toBe('ping');
		expect(studio.silent).toBe(0);
		vi.advanceTimersByTime(2000);
		expect(studio.up).toBe(true);
		expect(studio.silent).toBeGreaterThan(3500);
		newest().state(2, { mixer: mixer('cam1') });
		expect(studio.silent).toBe(0);
		vi.advanceTimersByTime(5000);
		expect(studio.silent).toBeGreaterThan(0);
		newest().onclose?.();
		expect(studio.silent).toBe(0);
	});

	test('any answer is a sign of life', async () => {
		await connected();
		for (let i = 0; i < 10; i++) {
			vi.advanceTimersByTime(3000);
			newest().say({ id: 0, error: { code: -32601, message: 'no such method' } });
		}
		expect(studio.up).toBe(true);
	});

	test('a socket that does not open is given up', async () => {
		await studio.start();
		vi.advanceTimersByTime(5100);
		expect(studio.link.state).toBe('lost');
	});

	test('somebody without a session is asked to log in', async () => {
		status['/api/v1/state'] = 401;
		await studio.start();
		newest().onclose?.();
		await vi.advanceTimersByTimeAsync(10);
		expect(studio.link.state).toBe('login');
		const before = sockets.length;
		await vi.advanceTimersByTimeAsync(20_000);
		expect(sockets.length).toBe(before);
	});

	test('who had access and has it no more is told so', async () => {
		await connected();
		status['/api/v1/state'] = 401;
		newest().onclose?.();
		vi.advanceTimersByTime(300);
		newest().onclose?.();
		await vi.advanceTimersByTimeAsync(10);
		expect(studio.link).toMatchObject({ state: 'login', why: expect.stringContaining('Your access has ended') });
	});

	test('a server that comes back as another version makes this page old', async () => {
		await studio.start();
		newest().state(1, { ...empty, show: { ...empty.show, version: 'v1' } });
		expect(studio.outdated).toBe(false);
		newest().onclose?.();
		vi.advanceTimersByTime(300);
		newest().state(1, { ...empty, show: { ...empty.show, version: 'v2' } });
		expect(studio.outdated).toBe(true);
	});

	test('a wrong token is said in words, a right one connects', async () => {
		status['/api/v1/login'] = 401;
		await studio.login('wrong');
		expect(studio.link).toMatchObject({ state: 'login', why: 'The server does not know this token.' });
		status['/api/v1/login'] = 204;
		await studio.login('right');
		newest().state(1, empty, 'operator');
		expect(studio.up).toBe(true);
		expect(studio.you).toEqual({ name: 'Anna', role: 'operator' });
	});

	test('a stale login link does not lock out a good session', async () => {
		status['/api/v1/login'] = 401;
		await studio.start('stale');
		newest().state(1, empty, 'operator');
		expect(studio.up).toBe(true);
	});

	test('an unreadable message costs the connection, nothing else', async () => {
		await connected();
		newest().onmessage?.({ data: '{{{' });
		expect(studio.link.state).toBe('lost');
	});
});

describe('commands', () => {
	test('a command is asked until the server answers', async () => {
		await connected();
		const sent = studio.send('mixer.cut', { source: 'cam1' });
		expect(newest().last()).toMatchObject({ jsonrpc: '2.0', method: 'mixer.cut', params: { source: 'cam1' } });
		expect(studio.asked('mixer.cut')).toBe(true);
		expect(studio.asked('mixer.cut', { source: 'cam1' })).toBe(true);
		expect(studio.asked('mixer.cut', { source: 'cam2' })).toBe(false);
		newest().say({ id: newest().last().id, result: null });
		expect(await sent).toEqual({ ok: true, result: null });
		expect(studio.asked('mixer.cut')).toBe(false);
		expect(studio.troubles).toEqual([]);
	});

	test('the state does not change before the server says so', async () => {
		await connected();
		void studio.send('mixer.cut', { source: 'cam1' });
		expect(studio.state.mixer.program).toBe('');
	});

	test('a refusal is kept with its reason until somebody dismisses it', async () => {
		await connected();
		const sent = studio.send('mixer.preview', { source: 'x' }, 'Preview x');
		const { id } = newest().last();
		newest().say({ id, error: { code: -32000, message: 'the mixer has no such source', data: { code: 'not_found' } } });
		expect(await sent).toEqual({ ok: false, unknown: false, message: 'the mixer has no such source' });
		expect(studio.troubles).toMatchObject([
			{ about: 'Preview x', state: 'refused', message: 'the mixer has no such source' },
		]);
		studio.dismiss(id);
		expect(studio.troubles).toEqual([]);
	});

	test('a command is unknown when the link breaks, and is not sent again', async () => {
		await connected();
		const sent = studio.send('mixer.cut', {}, 'Cut');
		newest().onclose?.();
		expect(await sent).toMatchObject({ ok: false, unknown: true });
		expect(studio.troubles).toMatchObject([{ about: 'Cut', state: 'unknown' }]);
		vi.advanceTimersByTime(300);
		newest().state(1, empty);
		expect(newest().sent).toEqual([]);
	});

	test('a late answer settles what was unknown', async () => {
		await connected();
		void studio.send('mixer.cut', {}, 'Cut');
		const { id } = newest().last();
		for (let i = 0; i < 7; i++) {
			vi.advanceTimersByTime(1000);
			newest().state(2 + i, {});
		}
		expect(studio.troubles).toMatchObject([{ state: 'unknown' }]);
		newest().say({ id, result: null });
		expect(studio.troubles).toEqual([]);
		expect(studio.commands.at(-1)?.state).toBe('confirmed');
	});

	test('a command whose end the server does not know is unknown here too', async () => {
		await connected();
		const sent = studio.send('mixer.cut', {}, 'Cut');
		newest().say({
			id: newest().last().id,
			error: { code: -32000, message: 'no answer in time', data: { code: 'timeout' } },
		});
		expect(await sent).toMatchObject({ ok: false, unknown: true });
		expect(studio.troubles).toMatchObject([{ state: 'unknown' }]);
	});

	test('without a link nothing is sent', async () => {
		await connected();
		const socket = newest();
		socket.onclose?.();
		expect(await studio.send('mixer.cut', {})).toMatchObject({ ok: false, unknown: false });
		expect(socket.sent).toEqual([]);
	});

	test('only a bounded number of commands is remembered', async () => {
		await connected();
		for (let i = 0; i < 200; i++) {
			void studio.send('mixer.cut', {});
			newest().say({ id: newest().last().id, result: null });
		}
		expect(studio.commands.length).toBeLessThan(60);
	});
});

test('each role may do what the ones before it may', async () => {
	await connected('operator');
	expect(studio.may('mixer.cut')).toBe(true);
	expect(studio.may('show.live')).toBe(false);
	expect(studio.barred('mixer.cut')).toBe('');
	expect(studio.barred('show.live')).toContain('director');
	newest().onclose?.();
	expect(studio.barred('mixer.cut')).toContain('connection');
});

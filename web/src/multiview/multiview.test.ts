import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { players } from '../playback/players.svelte';
import type { Feed } from '../api/protocol.gen';
import { studio } from '../api/studio.svelte';
import { empty } from '../api/types';
import Multiview from './Multiview.svelte';
import { TileMode } from './tilemode.svelte';

const played = vi.hoisted(() => ({ urls: new Set<string>(), stuck: [] as string[] }));
vi.mock('../playback/whep', () => ({
	off: { state: 'off', reason: '', media: null, hasAudio: false },
	WhepPlayer: class {
		constructor(
			public url: string,
			public changed: (p: object) => void,
		) {}
		start = () => {
			played.urls.add(this.url);
			this.changed({ state: 'playing', reason: '', media: null, hasAudio: false });
		};
		stop = () => played.urls.delete(this.url);
		stuck = () => played.stuck.push(this.url);
		listen = () => {};
	},
}));
vi.mock('../playback/videometer', () => ({
	StreamClock: class {},
	VideoMeter: class {
		constructor(_video: unknown, _clock: unknown, report: (m: object) => void) {
			queueMicrotask(() => report({ fps: 0, frozenMs: 5000, latencyMs: 20 }));
		}
		stop() {}
	},
}));

const feed = (id: string): Feed => ({
	id,
	name: id,
	added: true,
	hasKey: true,
	state: 'live',
	kbps: 2500,
	fps: 30,
	keyframeIntervalMs: 1000,
	viewers: 1,
	watch: { ok: true },
});
const cells = () => [...document.querySelectorAll('.cell')].map((c) => (c.textContent ?? '').replace(/\s+/g, ' '));
const toggle = () => [...document.querySelectorAll('button')].find((b) => b.textContent?.startsWith('Tiles:'));
const press = (change: KeyboardEventInit = {}) =>
	document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'e', code: 'KeyE', bubbles: true, ...change }));

let page: object | null = null;

async function open() {
	page = mount(Multiview, { target: document.body });
	await settle();
}

/** Until players that are no longer shown have ended, too. */
async function settle() {
	flushSync();
	await vi.advanceTimersByTimeAsync(4000);
	flushSync();
}

beforeEach(() => {
	vi.useFakeTimers();
	vi.stubGlobal('IntersectionObserver', undefined); // everything is visible
	vi.stubGlobal('fetch', () => Promise.reject(new Error('no server in this test')));
	localStorage.clear();
	played.stuck.length = 0;
	studio.state = {
		...empty,
		feeds: [feed('cam1'), feed('cam2')],
		mixer: {
			...empty.mixer,
			connected: true,
			studioMode: true,
			sources: [
				{ name: 'cam1', feeds: ['cam1'] },
				{ name: 'cam2', feeds: ['cam2'] },
			],
			program: 'cam1',
			preview: 'cam2',
		},
		program: { ...empty.program, level: 'mixer', onAir: 'cam1', target: 'cam1', watch: { ok: true } },
	};
	studio.loaded = true;
	studio.connection = { state: 'up', since: 0 };
});

afterEach(async () => {
	if (page) await unmount(page);
	page = null;
	players.listening = '';
	vi.advanceTimersByTime(10_000);
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

test('the tiles switch at once, preview and program never', async () => {
	await open();
	expect(toggle()?.textContent).toBe('Tiles: all frames');
	expect([...played.urls].sort()).toEqual(['/whep/cam1', '/whep/cam2', '/whep/program']);
	toggle()?.click();
	await settle();
	expect(toggle()?.textContent).toBe('Tiles: keyframes only (saves CPU)');
	expect([...played.urls].sort()).toEqual([
		'/whep/cam1?video=keyframes',
		'/whep/cam2',
		'/whep/cam2?video=keyframes',
		'/whep/program',
	]);
	expect(cells().map((c) => c.includes('keyframes'))).toEqual([false, false, true, true]);
	press();
	await settle();
	expect([...played.urls].sort()).toEqual(['/whep/cam1', '/whep/cam2', '/whep/program']);
	press({ ctrlKey: true });
	press({ repeat: true });
	await settle();
	expect(toggle()?.textContent).toBe('Tiles: all frames');
});

test('tiles with keyframes only are not called frozen', async () => {
	localStorage.setItem('obvan.multiview.frames', 'keyframes');
	await open();
	expect(cells().map((c) => c.includes('Frozen for'))).toEqual([true, true, false, false]);
	expect(played.stuck.filter((url) => url.includes('keyframes'))).toEqual([]);
	expect(played.stuck).toContain('/whep/program');
});

test('a camera that is listened to is played in full: a second connection would echo', async () => {
	localStorage.setItem('obvan.multiview.frames', 'keyframes');
	players.listening = 'cam1';
	await open();
	expect([...played.urls].sort()).toEqual(['/whep/cam1', '/whep/cam2', '/whep/cam2?video=keyframes', '/whep/program']);
	expect(cells()[2]).not.toContain('keyframes');
});

test('the choice is remembered, and works without storage', () => {
	new TileMode().change();
	expect(new TileMode().keyframes).toBe(true);
	const refused = new TileMode(() => {
		throw new DOMException('denied', 'SecurityError');
	});
	expect(refused.keyframes).toBe(false);
	refused.change();
	expect(refused.keyframes).toBe(true);
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WhepPlayer, stereo, type Net, type PlayerState } from './whep';

class FakePeer {
	connectionState = 'new';
	localDescription: { sdp: string } | null = null;
	ontrack: ((e: { track: object }) => void) | null = null;
	onconnectionstatechange: (() => void) | null = null;
	remote = '';
	kinds: string[] = [];
	closed = false;
	addTransceiver(kind: string) {
		this.kinds.push(kind);
	}
	async createOffer() {
		return { type: 'offer', sdp: 'offer' };
	}
	async setLocalDescription(d: { sdp: string }) {
		this.localDescription = d;
	}
	async setRemoteDescription(d: { sdp: string }) {
		this.remote = d.sdp;
	}
	transport = { state: 'connected', onstatechange: null as (() => void) | null };
	getReceivers() {
		return [{ transport: this.transport }];
	}
	close() {
		this.closed = true;
	}
	become(state: string) {
		this.connectionState = state;
		this.onconnectionstatechange?.();
	}
	connect() {
		this.ontrack?.({ track: { kind: 'video' } });
		this.become('connected');
	}
}

let peers: FakePeer[];
let servers: RTCIceServer[][];
let asked: { path: string; method?: string; body?: unknown }[];
let answer: () => Response | Promise<Response>;
let playing: PlayerState;
let player: WhepPlayer;

const newest = () => peers.at(-1)!;
const created = () => new Response('answer', { status: 201, headers: { Location: '/whep/cam1/42' } });
const soon = () => vi.advanceTimersByTimeAsync(1);

beforeEach(() => {
	vi.useFakeTimers();
	vi.stubGlobal(
		'MediaStream',
		class {
			tracks: { kind: string }[] = [];
			addTrack = (t: { kind: string }) => this.tracks.includes(t) || this.tracks.push(t);
			removeTrack = (t: { kind: string }) => (this.tracks = this.tracks.filter((x) => x !== t));
			getTracks = () => this.tracks;
			getAudioTracks = () => this.tracks.filter((t) => t.kind === 'audio');
		},
	);
	peers = [];
	servers = [];
	asked = [];
	answer = created;
	const net: Net = {
		servers: async () => [{ urls: 'stun:a.example' }],
		peer: (ice) => (servers.push(ice), peers.push(new FakePeer()), newest() as unknown as RTCPeerConnection),
		fetch: async (path, init) => {
			asked.push({ path, method: init.method, body: init.body });
			return init.method === 'DELETE' ? new Response() : answer();
		},
		random: () => 0.5,
	};
	player = new WhepPlayer('/whep/cam1', (p) => (playing = p), net);
});

afterEach(() => {
	player.stop();
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

test('the offer is posted at once, for video, and for audio while someone listens', async () => {
	player.listen(true);
	player.start();
	await soon();
	expect(asked).toEqual([{ path: '/whep/cam1', method: 'POST', body: 'offer' }]);
	expect(newest().kinds).toEqual(['video', 'audio']);
	expect(newest().remote).toBe('answer');
	expect(playing.state).toBe('connecting');
});

test('it plays once it is connected and has a video track', async () => {
	player.listen(true);
	player.start();
	await soon();
	newest().connect();
	expect(playing).toMatchObject({ state: 'playing', hasAudio: false });
	const track = { kind: 'audio', muted: true, onunmute: () => {} };
	newest().ontrack?.({ track });
	expect(playing).toMatchObject({ state: 'playing', hasAudio: false });
	track.muted = false;
	track.onunmute();
	expect(playing).toMatchObject({ state: 'playing', hasAudio: true });
});

test('stopping ends the session at the server', async () => {
	player.start();
	await soon();
	newest().connect();
	player.stop();
	expect(asked.at(-1)).toMatchObject({ path: '/whep/cam1/42', method: 'DELETE' });
	expect(newest().closed).toBe(true);
	expect(playing.state).toBe('off');
});

test('a session that is answered after the stop is ended too', async () => {
	let give: (r: Response) => void = () => {};
	answer = () => new Promise((done) => (give = done));
	player.start();
	await soon();
	player.stop();
	give(created());
	await soon();
	expect(asked.at(-1)).toMatchObject({ path: '/whep/cam1/42', method: 'DELETE' });
	await vi.advanceTimersByTimeAsync(20_000);
	expect(peers.length).toBe(1);
});

test('a refused session reports the reason and is retried', async () => {
	answer = () => new Response('cam1 has B-frames', { status: 409 });
	player.start();
	await soon();
	expect(playing).toMatchObject({ state: 'waiting', reason: 'cam1 has B-frames' });
	answer = created;
	await vi.advanceTimersByTimeAsync(400);
	expect(peers.length).toBe(2);
});

test('a codec that no browser can show is retried slowly', async () => {
	answer = () => new Response('H.265', { status: 415 });
	player.start();
	await soon();
	expect(playing).toMatchObject({ state: 'refused', reason: 'H.265' });
	await vi.advanceTimersByTimeAsync(4000);
	expect(peers.length).toBe(1);
});

test('an HTML page is not shown as a reason', async () => {
	answer = () => new Response('<html>Bad gateway</html>', { status: 502 });
	player.start();
	await soon();
	expect(playing.reason).toBe('The server answered 502.');
});

test('waits grow, and start over after a good connection', async () => {
	answer = () => new Response('', { status: 404 });
	player.start();
	await vi.advanceTimersByTimeAsync(20_000);
	const tries = peers.length;
	expect(tries).toBeGreaterThan(5);
	expect(tries).toBeLessThan(12);
	answer = created;
	await vi.advanceTimersByTimeAsync(5000);
	newest().connect();
	newest().become('failed');
	const before = peers.length;
	await vi.advanceTimersByTimeAsync(310);
	expect(peers.length).toBe(before + 1);
});

test('a short "disconnected" recovers without a new connection', async () => {
	player.start();
	await soon();
	newest().connect();
	newest().become('disconnected');
	await vi.advanceTimersByTimeAsync(1000);
	newest().become('connected');
	await vi.advanceTimersByTimeAsync(5000);
	expect(peers.length).toBe(1);
	newest().become('disconnected');
	await vi.advanceTimersByTimeAsync(2500);
	expect(peers.length).toBe(2);
});

test('a server that answers but never connects is retried', async () => {
	player.start();
	await vi.advanceTimersByTimeAsync(8400);
	expect(peers.length).toBe(2);
	expect(peers[0]?.closed).toBe(true);
});

test('a frozen video reconnects, but not while it is connecting', async () => {
	player.start();
	await soon();
	player.stuck();
	await vi.advanceTimersByTimeAsync(1000);
	expect(peers.length).toBe(1);
	newest().connect();
	player.stuck();
	await vi.advanceTimersByTimeAsync(400);
	expect(peers.length).toBe(1);
	await vi.advanceTimersByTimeAsync(5000);
	player.stuck();
	await vi.advanceTimersByTimeAsync(400);
	expect(peers.length).toBe(2);
});

test('a session that the server ends is noticed at once', async () => {
	player.start();
	await soon();
	newest().connect();
	newest().transport.state = 'closed';
	newest().transport.onstatechange?.();
	expect(playing).toMatchObject({ state: 'waiting', reason: 'The stream ended.' });
	await vi.advanceTimersByTimeAsync(400);
	expect(peers.length).toBe(2);
});

test('listening switches to a session with audio once that plays; the video stays', async () => {
	player.start();
	await soon();
	newest().connect();
	const media = playing.media;
	player.listen(true);
	await soon();
	expect(peers.map((p) => p.kinds)).toEqual([['video'], ['video', 'audio']]);
	expect(playing.state).toBe('playing');
	const track = { kind: 'video', muted: true, onunmute: () => {} };
	newest().ontrack?.({ track });
	newest().ontrack?.({ track: { kind: 'audio', muted: false } });
	newest().become('connected');
	expect(peers[0]!.closed).toBe(false);
	track.muted = false;
	track.onunmute();
	expect(playing).toMatchObject({ state: 'playing', hasAudio: true });
	expect(playing.media).toBe(media);
	expect(playing.media!.getTracks().length).toBe(2);
	expect(peers[0]!.closed).toBe(true);
	expect(asked.filter((a) => a.method === 'DELETE').length).toBe(1);
	player.listen(false);
	await soon();
	player.listen(true); // changed their mind
	await soon();
	expect(peers.at(-1)!.closed).toBe(true);
	expect(playing).toMatchObject({ state: 'playing', hasAudio: true });
});

test('a failed switch to audio reconnects', async () => {
	player.start();
	await soon();
	newest().connect();
	answer = () => new Response('', { status: 503 });
	player.listen(true);
	await soon();
	expect(playing.state).toBe('waiting');
	expect(peers.every((p) => p.closed)).toBe(true);
});

test('Opus is requested in stereo', () => {
	const sdp =
		'a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=fmtp:96 x=1\r\n';
	expect(stereo(sdp)).toBe(sdp.replace('useinbandfec=1', 'useinbandfec=1;stereo=1'));
	expect(stereo(stereo(sdp))).toBe(stereo(sdp));
	expect(stereo('offer')).toBe('offer');
});

test("the studio's STUN and TURN servers are used", async () => {
	player.start();
	await soon();
	expect(servers).toEqual([[{ urls: 'stun:a.example' }]]);
});

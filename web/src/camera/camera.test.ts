import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cameraLink } from '../model/addresses';
import { LightReader, type TallyLight } from './light';
import { linkFrom } from './phone.svelte';
import { WhipPublisher, type Sending } from './whip';

class FakeSender {
	parameters: RTCRtpSendParameters = { encodings: [{}] } as RTCRtpSendParameters;
	constructor(public track: MediaStreamTrack) {}
	getParameters = () => this.parameters;
	setParameters = async (p: RTCRtpSendParameters) => void (this.parameters = p);
	replaceTrack = async (t: MediaStreamTrack) => void (this.track = t);
}

class FakePeer {
	connectionState = 'new';
	localDescription: { sdp: string } | null = null;
	onconnectionstatechange: (() => void) | null = null;
	senders: FakeSender[] = [];
	closed = false;
	addTransceiver(track: MediaStreamTrack) {
		this.senders.push(new FakeSender(track));
	}
	getSenders = () => this.senders;
	createOffer = async () => ({ type: 'offer', sdp: 'offer' });
	setLocalDescription = async (d: { sdp: string }) => void (this.localDescription = d);
	setRemoteDescription = async () => {};
	getStats = async () => new Map();
	close() {
		this.closed = true;
	}
	become(state: string) {
		this.connectionState = state;
		this.onconnectionstatechange?.();
	}
}

const media = (...kinds: string[]) => {
	const tracks = kinds.map((kind) => ({ kind }));
	return { getTracks: () => tracks } as unknown as MediaStream;
};

let peers: FakePeer[];
let asked: { path: string; method?: string; key?: string }[];
let answer: () => Response;
let sending: Sending;
let publisher: WhipPublisher;
const newest = () => peers.at(-1)!;
const soon = (ms = 1) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
	vi.useFakeTimers();
	peers = [];
	asked = [];
	answer = () => new Response('answer', { status: 201, headers: { Location: `/whip/cam1/${asked.length}` } });
	publisher = new WhipPublisher('/whip/cam1', 'sesame', (s) => (sending = s), {
		peer: () => (peers.push(new FakePeer()), newest() as unknown as RTCPeerConnection),
		ice: async () => [],
		fetch: async (path, init) => {
			asked.push({ path, method: init.method, key: (init.headers as Record<string, string>)?.Authorization });
			return init.method === 'DELETE' ? new Response() : answer();
		},
		random: () => 0.5,
	});
});

afterEach(() => {
	publisher.stop();
	vi.useRealTimers();
});

test('a camera is sent with its key, at full resolution', async () => {
	void publisher.send(media('video', 'audio'), 3500);
	await soon();
	expect(asked).toEqual([{ path: '/whip/cam1', method: 'POST', key: 'Bearer sesame' }]);
	expect(newest().senders[0]!.parameters).toMatchObject({
		degradationPreference: 'maintain-resolution',
		encodings: [{ maxBitrate: 3_500_000 }],
	});
	newest().become('connected');
	expect(sending.state).toBe('sending');
});

test('another lens needs no new connection', async () => {
	void publisher.send(media('video', 'audio'), 3500);
	await soon();
	newest().become('connected');
	const other = media('video', 'audio');
	await publisher.send(other, 6000);
	expect(peers.length).toBe(1);
	expect(newest().senders.map((s) => s.track)).toEqual(other.getTracks());
	expect(newest().senders[0]!.parameters.encodings[0]!.maxBitrate).toBe(6_000_000);
});

test('a lost connection is replaced, and the old session is deleted', async () => {
	void publisher.send(media('video'), 3500);
	await soon();
	newest().become('connected');
	newest().become('disconnected');
	await soon(2500);
	expect(peers.length).toBe(1); // it may recover
	await soon(700);
	expect(sending.state).toBe('waiting');
	await soon(600);
	expect(peers.length).toBe(2);
	expect(asked.map((a) => a.method)).toEqual(['POST', 'DELETE', 'POST']);
});

test('a refusal has the reason of the server', async () => {
	answer = () => new Response('The stream key is wrong or missing.\n', { status: 401 });
	void publisher.send(media('video'), 3500);
	await soon();
	expect(sending).toMatchObject({ state: 'refused', reason: 'The stream key is wrong or missing.' });
});

test('stopping ends the feed at once', async () => {
	void publisher.send(media('video'), 3500);
	await soon();
	publisher.stop();
	expect(asked.at(-1)).toMatchObject({ method: 'DELETE', path: '/whip/cam1/1' });
	await soon(20_000);
	expect(peers.length).toBe(1);
	expect(sending.state).toBe('off');
});

test('a light is shown while updates arrive', async () => {
	let light: TallyLight | undefined;
	let out: ReadableStreamDefaultController<Uint8Array>;
	const say = (text: string) => out.enqueue(new TextEncoder().encode(text));
	const reader = new LightReader('/api/v1/camera/cam1', 'sesame', (l) => (light = l), {
		fetch: async () => new Response(new ReadableStream<Uint8Array>({ start: (c) => void (out = c) })),
	});
	reader.start();
	await soon();
	say('{"name":"Anna","tally":"pro');
	await soon();
	expect(light).toBeUndefined();
	say('gram","live":true}\n');
	await soon();
	expect(light).toMatchObject({ known: true, name: 'Anna', tally: 'program', live: true });
	say('{"name":"Anna","tally":"","unknown":true}\n'); // the mixer is not connected
	await soon();
	expect(light).toMatchObject({ known: false, name: 'Anna' });
	say('{"name":"Anna","tally":""}\n');
	await soon(4900);
	expect(light!.known).toBe(true);
	await soon(200);
	expect(light).toMatchObject({ known: false, name: 'Anna' });
	reader.stop();
});

test('the link selects the camera', () => {
	const link = cameraLink('cam 1', 'k#y&', '10.0.0.5', { protocol: 'https:', port: '8080' });
	expect(link).toBe('https://10.0.0.5:8080/camera#feed=cam%201&key=k%23y%26');
	expect(linkFrom(new URL(link).hash)).toEqual({ feed: 'cam 1', key: 'k#y&' });
	expect(linkFrom('')).toEqual({ feed: '', key: '' });
});

// A fake studio for looking at the panel without a server. It answers commands roughly as
// the server does. Not part of the panel.
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { answer, extras, graphics } from './studio.js';

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const dist = new URL('../dist/', import.meta.url).pathname;
const ago = (s) => new Date(Date.now() - s * 1000).toISOString();

/** What OBS adds: scenes, transitions, warnings of its computer. */
function obs(state) {
	state.mixer = {
		...state.mixer,
		kind: 'obs',
		version: '31.0.2',
		sources: [
			{ name: 'Welcome' },
			{ name: 'Two shot', feeds: ['cam1', 'cam2'] },
			{ name: 'Cam 3 scene', feeds: ['cam3'] },
			{ name: 'cam4', feeds: ['cam4'] },
		],
		program: 'Cam 3 scene',
		preview: 'Two shot',
		transitions: ['Cut', 'Fade', 'Stinger with a long name'],
		...extras(),
	};
	state.obs = { available: true, canUndo: false };
	state.graphics = {
		...state.graphics,
		onAir: { ...state.graphics.items[0], since: ago(2), outAt: ago(-6), confirmed: true },
		next: 'g2',
		via: 'mixer',
	};
	state.tally = { cam3: 'program', cam1: 'preview', cam2: 'preview' };
	state.program = {
		...state.program,
		level: 'backup',
		onAir: 'cam4',
		target: 'mixer',
		reason: 'no video from OBS',
		backups: ['cam4'],
	};
	return state;
}

/** Eight destinations in different states. */
export function everywhere(state) {
	const [yt, tw, fb, ar] = state.destinations;
	state.destinations = [
		yt,
		{
			...yt,
			id: 'yt2',
			name: 'YouTube, second channel in another language',
			kbps: 2496,
			latencyMs: 3400,
			backup: true,
			framesDropped: 214,
			warnings: undefined,
		},
		{
			...tw,
			id: 'k',
			name: 'Kick',
			state: 'connecting',
			reason: '',
			attempt: 1,
			nextTry: undefined,
			graceDeadline: undefined,
		},
		tw,
		fb,
		ar,
		{ ...ar, id: 'li', name: 'LinkedIn', enabled: true, warnings: undefined },
		{ ...yt, id: 'x', name: 'X', kbps: 2511, warnings: undefined },
	];
	return state;
}

/** A show with very long names. */
export function wordy(state) {
	const long = 'Wolfeschlegelsteinhausenbergerdorff Memorial Stadium, northern end';
	state.show = { ...state.show, name: `${long}, second half` };
	state.feeds = state.feeds.map((f, i) => ({ ...f, name: `${long} ${i + 1}` }));
	state.destinations = state.destinations.map((d, i) => ({
		...d,
		name: `${long} ${i + 1}`,
		reason: d.reason && `${long} closed the connection: ${'error '.repeat(12)}`,
	}));
	return state;
}

/** OBS refuses the password. */
export function locked(state) {
	state.mixer = {
		...state.mixer,
		connected: false,
		problem: "OBS refused the password: compare it with OBS' websocket server settings",
		audio: undefined,
		media: undefined,
		outputs: undefined,
		collections: undefined,
		profiles: undefined,
		health: undefined,
	};
	return state;
}

/** A show with n cameras, at least two of them healthy. */
export function show(n, mixer = 'cut') {
	return mixer === 'obs' ? obs(cuts(n)) : cuts(n);
}

function cuts(n) {
	const video = { codec: 'H.264', profile: 'Main', width: 1280, height: 720, frameRate: 30 };
	const audio = { codec: 'AAC', sampleRate: 48000, channels: 2 };
	const names = [
		'Goal camera',
		'Bench',
		'Crane',
		'Commentary box',
		'Tunnel',
		'Roof, very long name of a far camera',
		'Drone',
		'Phone Anna',
		...Array.from({ length: 24 }, (_, i) => `Camera ${i + 9}`),
	];
	const feeds = names.slice(0, n).map((name, i) => ({
		id: `cam${i + 1}`,
		name,
		added: true,
		hasKey: true,
		state: 'live',
		since: ago(600),
		proto: 'rtmp',
		remote: `10.0.0.${20 + i}:40112`,
		video,
		audio: i === 2 ? undefined : audio,
		kbps: 2480 + 77 * i,
		fps: 30,
		keyframeIntervalMs: 1000,
		viewers: 1,
		watch: { ok: true },
	}));
	const worse = [
		[5, { state: 'lost', since: ago(12), watch: { ok: false, reason: 'No signal.' } }],
		[
			6,
			{
				watch: {
					ok: false,
					reason: 'It has B-frames: a browser would show one frame per second. Set B-frames to 0 in the encoder.',
				},
				notes: ['It has B-frames.'],
			},
		],
		[7, { state: 'waiting', watch: { ok: false, reason: 'Waiting for video.' } }],
	];
	for (const [i, change] of worse) if (feeds[i]) Object.assign(feeds[i], change);
	const place = {
		state: 'off',
		since: ago(100),
		attempt: 0,
		backup: false,
		kbps: 0,
		latencyMs: 0,
		framesDropped: 0,
		bytesSent: 0,
		enabled: true,
		hasKey: true,
		url: 'rtmps://a.rtmps.youtube.com/live2',
	};
	return {
		show: {
			name: 'Cup final',
			live: true,
			since: ago(3725),
			version: 'v0.1.0',
			mixerUrl: 'cut',
			rtmpPort: 1935,
			rtspPort: 8554,
		},
		feeds,
		mixer: {
			kind: 'cut',
			connected: true,
			sources: feeds.map((f) => ({ name: f.id, feeds: [f.id] })),
			program: n ? 'cam1' : '',
			preview: n ? 'cam2' : '',
			studioMode: true,
			transition: {},
			onAir: ['cam1'],
			onPreview: ['cam2'],
			output: 'cam1',
		},
		program: {
			onAir: n ? 'cam1' : '',
			target: 'cam1',
			since: ago(30),
			level: n ? 'mixer' : 'none',
			splices: 12,
			timeoutMs: 1000,
			triggers: [],
			video,
			audio,
			kbps: 2510,
			fps: 30,
			backups: [],
			watch: n ? { ok: true } : { ok: false, reason: 'Nothing has been on air yet.' },
		},
		destinations:
			n === 0
				? []
				: [
						{
							...place,
							id: 'yt',
							name: 'YouTube',
							state: 'live',
							kbps: 2512,
							latencyMs: 40,
							warnings: ['The video has 2.4 Mbit/s; YouTube recommends at least 3.0 for its size.'],
						},
						{
							...place,
							id: 'tw',
							name: 'Twitch',
							state: 'retrying',
							reason: 'Twitch closed the connection. Twitch ends the broadcast in about 71 s',
							graceDeadline: { platform: 'Twitch', at: ago(-71), graceMs: 90_000 },
							nextTry: ago(-4),
							attempt: 3,
						},
						{
							...place,
							id: 'fb',
							name: 'Facebook',
							state: 'refused',
							reason: 'the server does not accept this stream key',
						},
						{
							...place,
							id: 'ar',
							name: 'Archive server',
							enabled: false,
							warnings: [
								'The frame rate is not constant, as Other RTMP server expects.',
								'The audio has 6 channels; Other RTMP server expects stereo.',
							],
						},
					],
		graphics: graphics(n ? 5 : 0),
		obs: { available: false, canUndo: false },
		selfTest: { running: false },
		tally: n ? { cam1: 'program', cam2: 'preview' } : {},
		clients: [
			{ name: 'admin', role: 'admin', kind: 'panel', remote: '10.0.0.4:51000', since: ago(700) },
			{ name: 'Anna', role: 'operator', kind: 'deck', remote: '10.0.0.9:51220', since: ago(90) },
		],
		log: [
			{ at: ago(720), level: 'info', text: 'Server started.' },
			{ at: ago(600), level: 'info', text: 'cam1 connected (RTMP): H.264 Main 1280x720, AAC 48 kHz.' },
			{ at: ago(300), level: 'info', who: 'admin', text: 'went live' },
			{ at: ago(62), level: 'warn', text: 'Twitch: the server closed the connection; next attempt in 2 s' },
			{ at: ago(30), level: 'info', who: 'Anna', text: 'cut to cam1' },
			{ at: ago(12), level: 'error', text: 'Facebook: the server does not accept this stream key' },
		],
	};
}

/** Serves a page from the fake; cut() breaks its connection. */
export async function fake(page, state, role = 'admin') {
	const sockets = new Set();
	let up = true;
	await page.addInitScript({ path: new URL('./moving.js', import.meta.url).pathname });
	await page.route('http://panel.test/**', (route) => {
		const path = new URL(route.request().url()).pathname;
		if (!up && path.startsWith('/api')) return route.abort();
		if (path === '/api/v1/platforms')
			return route.fulfill({
				json: [
					{
						id: 'youtube',
						name: 'YouTube',
						url: 'rtmps://a.rtmps.youtube.com/live2',
						backupUrl: 'rtmps://b.rtmps.youtube.com/live2?backup=1',
						sendToBoth: true,
						hint: 'YouTube Studio > Create > Go live: the stream key.',
					},
					{ id: '', name: 'Other RTMP server', url: '', hint: 'As given by the provider.' },
				],
			});
		if (path.startsWith('/api/v1/logos/'))
			return route.fulfill({
				contentType: 'image/svg+xml',
				body: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 60"><rect width="160" height="60" rx="10" fill="#e8402a"/><text x="80" y="42" font-family="sans-serif" font-weight="800" font-size="34" fill="#fff" text-anchor="middle">ACME</text></svg>',
			});
		if (path.startsWith('/whep/')) return route.fulfill({ status: 204 });
		if (path.startsWith('/api') || path === '/healthz') return route.fulfill({ json: {} });
		const screen = /^\/(overlay|tally|multiview|camera)(\/|$)/.exec(path)?.[1];
		const file = join(dist, screen ? `${screen}.html` : path === '/' ? 'index.html' : path);
		return route.fulfill({ body: readFileSync(file), contentType: types[extname(file)] });
	});
	let rev = 1;
	const send = (sections) =>
		sockets.forEach((ws) =>
			ws.send(JSON.stringify({ jsonrpc: '2.0', method: 'state', params: { rev: rev++, sections } })),
		);
	await page.routeWebSocket(/^ws:\/\/panel\.test\/ws/, (ws) => {
		if (!up) return void ws.close();
		sockets.add(ws);
		let levels;
		ws.onClose(() => clearInterval(levels));
		const sendState = (sections, you) =>
			ws.send(JSON.stringify({ jsonrpc: '2.0', method: 'state', params: { rev: rev++, sections, you } }));
		ws.onMessage((text) => {
			const { id, method, params } = JSON.parse(text);
			const m = state.mixer;
			const on = (name) => {
				state.mixer = { ...m, program: name, preview: m.preview === name ? m.program : m.preview };
			};
			let result = null;
			const done = answer(state, method, params);
			if (done) {
				ws.send(JSON.stringify({ jsonrpc: '2.0', id, ...done }));
				return send({
					mixer: state.mixer,
					graphics: state.graphics,
					program: state.program,
					obs: state.obs,
					selfTest: state.selfTest,
					feeds: state.feeds,
				});
			}
			if (method === 'audio.meters') {
				clearInterval(levels);
				let n = 0;
				const level = (i) => -18 + 14 * Math.sin(++n / 9 + i);
				if (params.on)
					levels = setInterval(
						() =>
							ws.send(
								JSON.stringify({
									jsonrpc: '2.0',
									method: 'meters',
									params: {
										inputs: (state.mixer.audio ?? []).map((a, i) => ({
											name: a.name,
											rms: [level(i) - 8, level(i) - 9],
											peak: [level(i), level(i) - 1],
										})),
									},
								}),
							),
						50,
					);
			}
			if (method === 'mixer.preview') state.mixer = { ...m, preview: params.source };
			else if (method === 'mixer.cut') on(params.source ?? m.preview);
			else if (method === 'mixer.take') on(m.preview);
			else if (method === 'feed.key') result = { key: 'Q2xpbWIgZXZlcnk' };
			else if (method === 'token.list')
				result = [
					{ name: 'admin', role: 'admin', created: ago(9000) },
					{ name: 'Anna', role: 'operator', created: ago(900) },
				];
			else if (method === 'destination.start')
				return ws.send(
					JSON.stringify({
						jsonrpc: '2.0',
						id,
						error: { code: -32000, message: 'the address is not allowed', data: { code: 'refused' } },
					}),
				);
			ws.send(JSON.stringify({ jsonrpc: '2.0', id, result }));
			sendState({ mixer: state.mixer });
		});
		sendState(state, { name: 'admin', role });
	});
	return {
		state,
		send,
		cut() {
			up = false;
			for (const ws of sockets) ws.close();
			sockets.clear();
		},
		restore() {
			up = true;
		},
	};
}

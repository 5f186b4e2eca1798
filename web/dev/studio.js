// The commands of the fake studio: roughly what the server would do.
const now = () => new Date().toISOString();

class Refused extends Error {}

const names = [
	['Ada Lovelace', 'First programmer'],
	['Dr. Karlheinz Wüstenfeld-Montgomery', 'Professor of comparative linguistics, University of Klagenfurt'],
	['محمد عبد الرحمن', 'مراسل من القاهرة'],
	['Grace Hopper', 'Rear admiral'],
	['Alan Turing', ''],
];

/** The lower thirds of the fake show. */
export function graphics(n = names.length) {
	const name = { name: 'name', label: 'Name' };
	const title = { name: 'title', label: 'Title', optional: true };
	return {
		templates: [
			{
				id: 'person',
				name: 'Name and title',
				fields: [name, title, { name: 'logo', label: 'Logo', optional: true, logo: true }],
			},
			{ id: 'headline', name: 'Headline', fields: [{ name: 'name', label: 'Headline' }] },
			{
				id: 'place',
				name: 'Place and time',
				fields: [
					{ name: 'name', label: 'Place' },
					{ name: 'title', label: 'Time', optional: true },
				],
			},
		],
		items: names.slice(0, n).map(([a, b], i) => ({
			id: `g${i + 1}`,
			template: 'person',
			text: { name: a, title: b, logo: i === 3 ? 'sponsor' : '' },
			autoOutMs: i === 0 ? 8000 : undefined,
		})),
		logos: n > 0 ? ['sponsor', 'university-of-klagenfurt'] : [],
		next: n > 0 ? 'g1' : '',
		via: 'overlay',
	};
}

/** What OBS has besides its scenes. */
export function extras() {
	return {
		tbar: { position: 0 },
		transition: { kind: 'Fade', durationMs: 300 },
		audio: [
			{ name: 'Desktop Audio', muted: false, db: 0 },
			{ name: 'Mic/Aux', muted: true, db: -6.2 },
			{ name: 'Commentary, north stand of the stadium', muted: false, db: -12.5 },
			{ name: 'Opener', muted: false, db: -100 },
		],
		media: [
			{ name: 'Opener', state: 'playing', cursorMs: 12_000, lengthMs: 31_000 },
			{ name: 'Jingle with a long file name.mp4', state: 'ended', cursorMs: 4000, lengthMs: 4000 },
			{ name: 'cam1', state: 'playing', cursorMs: 99_000, lengthMs: 0 },
		],
		outputs: [
			{ name: 'stream', state: 'on', since: new Date(Date.now() - 600_000).toISOString() },
			{ name: 'record', state: 'off' },
			{ name: 'replay', state: 'off', reason: 'the disk is full' },
			{ name: 'virtualcam', state: 'starting' },
		],
		collections: { current: 'Cup final', all: ['Cup final', 'Sunday service'] },
		profiles: { current: 'Untitled', all: ['Untitled', '1080p50'] },
		health: {
			warnings: ["OBS can't keep up with encoding: 3 % of the frames are dropped"],
			cpuPercent: 41,
			memoryMB: 820,
			fps: 49.9,
			renderMs: 6.1,
			renderSkipped: 2,
			encoderSkipped: 310,
			diskFreeMB: 120_000,
		},
	};
}

/** The report of the last self-test. */
export const selfTestReport = {
	at: now(),
	seconds: 20,
	frames: 612,
	ok: true,
	summary: '2 healthy destinations missed no frames in 20 s beside 6 faulty ones, and every status was correct',
	healthy: [1, 2].map((n) => ({
		name: `good-${n}`,
		missedFrames: 0,
		p99Ms: 11 + n,
		aloneMs: 9 + n,
		ok: true,
		summary: 'missed no frames',
	})),
	faulty: [
		['refuse', ['connecting', 'refused'], 1, 0, 'refuse refused the stream key: self-test: every key is refused'],
		['stall', ['connecting', 'live', 'retrying', 'live'], 3, 118, 'stall is no longer receiving data'],
		['slow', ['connecting', 'live'], 1, 402, ''],
		['reset', ['connecting', 'live', 'retrying', 'live'], 4, 0, 'reset closed the connection'],
		['close', ['connecting', 'retrying'], 6, 0, 'close closed the connection'],
		['silent', ['connecting', 'retrying'], 2, 0, 'silent is not responding'],
	].map(([kind, states, attempt, dropped, reason]) => ({
		kind,
		states,
		attempt,
		framesDropped: dropped,
		reason,
		ok: true,
		summary: 'the status was correct',
	})),
};

const find = (list, id) => list.find((x) => x.id === id) ?? list.find((x) => x.name === id);

const does = {
	'graphics.take': (s, { id }) => takeGraphic(s, id),
	'graphics.next': (s) => takeGraphic(s, s.graphics.next),
	'graphics.out': (s) => {
		s.graphics = { ...s.graphics, onAir: undefined };
	},
	'graphics.add': (s, a) => {
		s.graphics = { ...s.graphics, items: [...s.graphics.items, { id: `n${Date.now()}`, template: 'person', ...a }] };
		return { id: 'n' };
	},
	'graphics.update': (s, a) => {
		s.graphics = { ...s.graphics, items: s.graphics.items.map((i) => (i.id === a.id ? { ...i, ...a } : i)) };
	},
	'graphics.remove': (s, { id }) => {
		s.graphics = { ...s.graphics, items: s.graphics.items.filter((i) => i.id !== id) };
	},
	'graphics.move': (s, { id, to }) => {
		const rest = s.graphics.items.filter((i) => i.id !== id);
		rest.splice(to, 0, find(s.graphics.items, id));
		s.graphics = { ...s.graphics, items: rest };
	},
	'graphics.import': (s, { csv }) => {
		if (csv.includes('"')) throw new Refused('line 2: a quote is not closed');
		return { added: csv.trim().split('\n').length };
	},
	'audio.mute': (s, { input, muted }) => change(s, 'audio', input, { muted }),
	'audio.volume': (s, { input, db }) => change(s, 'audio', input, { db }),
	'mixer.transition': (s, t) => {
		s.mixer = { ...s.mixer, transition: { ...s.mixer.transition, ...t } };
	},
	'mixer.tbar': (s, { position, done }) => {
		s.mixer = { ...s.mixer, inTransition: !done, tbar: { position: done ? 0 : position } };
	},
	'mixer.studioMode': (s, { on }) => {
		s.mixer = { ...s.mixer, studioMode: on, preview: on ? s.mixer.program : '' };
	},
	'output.start': (s, { output }) => change(s, 'outputs', output, { state: 'on', since: now() }),
	'output.stop': (s, { output }) => change(s, 'outputs', output, { state: 'off' }),
	'program.backups': (s, { feeds }) => {
		s.program = { ...s.program, backups: feeds };
	},
	'program.lock': (s, { level }) => {
		s.program = { ...s.program, locked: level };
	},
	'program.triggers': (s, { on }) => {
		s.program = { ...s.program, triggers: on };
	},
	'program.timeout': (s, { ms, level }) => {
		s.program = { ...s.program, ...(level ? { timeouts: { ...s.program.timeouts, [level]: ms } } : { timeoutMs: ms }) };
	},
	'program.failover': (s, { on }) => {
		s.program = { ...s.program, failoverOff: !on };
	},
	'clip.list': () => ({
		clips: [
			{ name: 'pause', bytes: 48_200, changed: '2026-05-01T18:00:00Z' },
			{ name: 'trailer-of-the-cup-final-with-a-very-long-name', bytes: 61_200_000, changed: now() },
		],
	}),
	'selftest.run': (s, { seconds }) => {
		s.selfTest = { running: true, until: new Date(Date.now() + seconds * 1000).toISOString() };
	},
	'obs.password': () => {
		throw new Refused('the argument password is too long: 256 characters at most');
	},
	'feed.add': (s, a) => {
		s.feeds = [
			...s.feeds,
			{
				...a,
				added: true,
				hasKey: !a.url,
				state: 'waiting',
				kbps: 0,
				fps: 0,
				keyframeIntervalMs: 0,
				viewers: 0,
				watch: { ok: false },
			},
		];
		return { id: a.id, key: a.url ? '' : 'Q2xpbWIgZXZlcnk' };
	},
	'obs.provision': (s, { preview }) => ({
		done: !preview,
		removedFeeds: ['old-cam'],
		steps: [
			'Create the scene "Goal camera [obvan]".',
			'Add a player of cam1 to it.',
			'Create the scene "Bench [obvan]".',
			'Add a player of cam2 to it.',
			'Create the scene "2 cameras [obvan]".',
			'Create the lower third.',
			'Send the stream to the studio.',
			'Set the encoder: 6000 kbit/s, a keyframe every second, no B-frames.',
		],
		notes: ['OBS is already streaming: the encoder settings take effect at the next start.'],
	}),
};

function takeGraphic(s, id) {
	const item = find(s.graphics.items, id);
	if (!item) throw new Refused('there is no such lower third');
	const next = s.graphics.items[s.graphics.items.indexOf(item) + 1]?.id ?? '';
	s.graphics = {
		...s.graphics,
		next,
		onAir: {
			...item,
			since: now(),
			confirmed: true,
			outAt: item.autoOutMs ? new Date(Date.now() + item.autoOutMs).toISOString() : undefined,
		},
	};
}

function change(s, list, name, to) {
	s.mixer = { ...s.mixer, [list]: s.mixer[list].map((x) => (x.name === name ? { ...x, ...to } : x)) };
}

/** The answer to a command; undefined for one of the buses, which fake.js answers. */
export function answer(state, method, params) {
	if (!does[method]) return undefined;
	try {
		return { result: does[method](state, params) ?? null };
	} catch (e) {
		if (e instanceof Refused) return { error: { code: -32000, message: e.message, data: { code: 'refused' } } };
		throw e;
	}
}

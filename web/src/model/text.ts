// Numbers and states in the words of the panel.
import type { DestinationStatus, GraceDeadline, Feed, MixerOutput, ProgramState } from '../api/protocol.gen';

const two = (n: number) => String(n).padStart(2, '0');

/** A running time, as on a show clock: 0:07, 12:34, 1:02:03. */
export function running(ms: number): string {
	const s = Math.max(0, Math.floor(ms / 1000));
	const rest = `${two(s % 60)}`;
	return s < 3600 ? `${Math.floor(s / 60)}:${rest}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${rest}`;
}

/** A span of time, roughly: 4 s, 3 min, 2 h, 5 days. */
export function span(ms: number): string {
	const s = Math.max(0, Math.round(ms / 1000));
	if (s < 100) return `${s} s`;
	if (s < 100 * 60) return `${Math.round(s / 60)} min`;
	if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
	return `${Math.round(s / 86400)} days`;
}

/** A bit rate, two figures after the point so that it does not jump about. */
export function rate(kbps: number): string {
	return kbps >= 1000 ? `${(kbps / 1000).toFixed(kbps >= 99_950 ? 0 : 1)} Mb/s` : `${Math.round(kbps)} kb/s`;
}

/** The time of day on this machine, to the second. */
export function clock(ms: number): string {
	const d = new Date(ms);
	return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** What a light can say; each light stands beside its word. */
export type Light = 'on' | 'busy' | 'trouble' | 'fault' | 'off';

export interface Words {
	light: Light;
	word: string;
	sentence: string;
}

const ended = (text: string) => (text === '' || /[.!?…]$/.test(text) ? text : `${text}.`);

/** A clause of the server as a sentence of the panel. */
export const sentence = (clause = '') => ended(clause.charAt(0).toUpperCase() + clause.slice(1));

/** How a destination fares: beside its word stands the figure that matters now. */
export interface Fare extends Words {
	figure: string;
	graceDeadline?: Countdown; // in place of the figure, which begins the sentence then
}

/** How long a platform still waits for data before it ends the broadcast for the audience. */
export interface Countdown {
	share: number; // of the time it waits in all
	next: number; // the share in a second
	short: string;
	time: string; // behind what is short; never cut
	sentence: string;
}

const hurry = 'It keeps the broadcast for some time without data, then the audience sees its end.';

/** A platform's patience, as it runs out. */
export function countdown(e: GraceDeadline, now: number): Countdown {
	const left = Math.min(e.graceMs, Date.parse(e.at) - now); // a clock that is behind ours makes it no longer
	const share = (ms: number) => Math.min(1, Math.max(0, ms / Math.max(1, e.graceMs)));
	if (left <= 0)
		return {
			share: 0,
			next: 0,
			short: 'may have ended',
			time: '',
			sentence: `${e.platform} may have ended the broadcast: look there.`,
		};
	const about = span(Math.ceil(left / 1000) * 1000);
	return {
		share: share(left),
		next: share(left - 1000),
		short: 'ends in',
		time: about,
		sentence: `${e.platform} ends the broadcast in about ${about}. ${hurry}`,
	};
}

// The server's reason says in words, too, what the countdown shows.
function reason(d: DestinationStatus): string {
	const all = d.reason ?? '';
	const at = d.graceDeadline
		? Math.max(
				...[' ends the broadcast in', ' may have ended the broadcast'].map((words) =>
					all.lastIndexOf(d.graceDeadline!.platform + words),
				),
			)
		: -1;
	return at < 0 ? all : all.slice(0, at).replace(/[.\s]+$/, '');
}

function due(d: DestinationStatus, now: number): string {
	const ms = d.nextTry ? Date.parse(d.nextTry) - now : NaN;
	if (Number.isNaN(ms)) return '';
	return ms > 500 ? `next try in ${span(ms)}` : 'trying now';
}

function live(d: DestinationStatus): Fare {
	const more = [
		sentence(d.reason),
		d.backup ? 'On the backup address.' : '',
		d.framesDropped > 0 ? `${d.framesDropped} pictures left out.` : '',
	];
	const behind = d.latencyMs >= 500 ? ` · ${(d.latencyMs / 1000).toFixed(1)} s behind` : '';
	return {
		light: d.latencyMs >= 2000 || d.reason ? 'trouble' : 'on',
		word: 'LIVE',
		figure: rate(d.kbps) + behind,
		sentence: more.filter(Boolean).join(' '),
	};
}

/** How a destination fares: one light, one word, one figure, one sentence. */
export function destination(d: DestinationStatus, now: number): Fare {
	const said = fare(d, now);
	if (!d.graceDeadline) return said;
	return {
		...said,
		figure: '',
		graceDeadline: countdown(d.graceDeadline, now),
		sentence: [sentence(said.figure), said.sentence].filter(Boolean).join(' '),
	};
}

function fare(d: DestinationStatus, now: number): Fare {
	const why = sentence(reason(d));
	switch (d.state) {
		case 'live':
			return live(d);
		case 'connecting':
			return {
				light: 'busy',
				word: 'CONNECTING',
				figure: '',
				sentence: why || (d.backup ? 'Dialling the backup address.' : 'Dialling.'),
			};
		case 'retrying':
			return {
				light: 'trouble',
				word: 'RETRYING',
				figure: due(d, now),
				sentence: `${why || 'The connection broke.'}${d.attempt > 1 ? ` ${d.attempt} tries so far.` : ''}`,
			};
		case 'refused':
			return { light: 'fault', word: 'REFUSED', figure: '', sentence: why || 'The server does not want this stream.' };
		case 'off':
			return {
				light: 'off',
				word: 'OFF',
				figure: '',
				sentence: why || (d.enabled ? 'Starts with the show.' : 'Stays off until you start it.'),
			};
		default:
			return { light: 'off', word: String(d.state).toUpperCase(), figure: '', sentence: why };
	}
}

/** What is wrong with a feed, in a word and a sentence; no word when nothing is. */
export function feed(f: Feed, now: number): Words {
	const since = f.since ? span(now - Date.parse(f.since)) : '';
	const problem = sentence(f.problem);
	switch (f.state) {
		case 'live':
			return { light: problem ? 'trouble' : 'on', word: '', sentence: problem };
		case 'waiting':
			return { light: 'off', word: 'WAITING', sentence: problem || 'Nothing has come from this camera yet.' };
		case 'lost':
			return {
				light: 'fault',
				word: 'LOST',
				sentence: problem || `It stopped sending${since ? ` ${since} ago` : ''}.`,
			};
		case 'stalled':
			return { light: 'fault', word: 'NO PICTURES', sentence: problem || 'It is connected, but sends no pictures.' };
		case 'connecting':
			return { light: 'busy', word: 'CONNECTING', sentence: problem || 'Dialling the camera.' };
		case 'retrying':
			return { light: 'trouble', word: 'RETRYING', sentence: problem || 'The camera does not answer.' };
		default:
			return { light: 'off', word: String(f.state).toUpperCase(), sentence: problem };
	}
}

/** What the program shows when it is not what the mixer wants; empty when it is. */
export function ladder(p: ProgramState, name: (stream: string) => string): string {
	const why = ended((p.reason ?? '').replaceAll(p.target || '\0', name(p.target)));
	const kept = p.failoverOff ? ' An operator keeps it there.' : '';
	switch (p.level) {
		case 'freeze':
			return `The last picture is held: ${why || `${p.target ? name(p.target) : 'the mixer'} sends nothing.`}${kept}`;
		case 'backup':
			return `Backup on air (${name(p.onAir)}): ${why || `${name(p.target)} sends nothing.`}${kept}`;
		case 'none':
			return sentence(why) || 'Nothing has been on air yet.';
		default:
			return why ? sentence(why) + kept : kept.trim();
	}
}

const outputs: Record<string, string> = {
	stream: 'OBS’ stream',
	record: 'Recording',
	replay: 'Replay',
	virtualcam: 'Virtual cam',
};

export const outputName = (name: string) => outputs[name] ?? name;

/** How something fares that the mixer sends or writes by itself. */
export function output(o: MixerOutput, now: number): Words {
	const since = o.since ? ` ${running(now - Date.parse(o.since))}` : '';
	switch (o.state) {
		case 'on':
			return { light: 'on', word: `ON${since}`, sentence: '' };
		case 'starting':
		case 'stopping':
			return { light: 'busy', word: o.state.toUpperCase(), sentence: '' };
		case 'reconnecting':
			return { light: 'trouble', word: 'RECONNECTING', sentence: sentence(o.reason) };
		case 'paused':
			return { light: 'trouble', word: `PAUSED${since}`, sentence: '' };
		default:
			return { light: 'off', word: 'OFF', sentence: sentence(o.reason) };
	}
}

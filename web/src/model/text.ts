// Numbers and states as text.
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

/** A bitrate, short enough not to jump about. */
export function rate(kbps: number): string {
	return kbps >= 1000 ? `${(kbps / 1000).toFixed(kbps >= 99_950 ? 0 : 1)} Mbit/s` : `${Math.round(kbps)} kbit/s`;
}

/** The time of day on this machine, to the second. */
export function clock(ms: number): string {
	const d = new Date(ms);
	return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** The colour of a status light; its label always stands beside it. */
export type Status = 'on' | 'busy' | 'warning' | 'fault' | 'off';

export interface StatusText {
	status: Status;
	label: string;
	sentence: string;
}

const ended = (text: string) => (text === '' || /[.!?…]$/.test(text) ? text : `${text}.`);

/** A message of the server as a sentence. */
export const sentence = (clause = '') => ended(clause.charAt(0).toUpperCase() + clause.slice(1));

/** The status of a destination, with the figure that matters now. */
export interface DestinationText extends StatusText {
	figure: string;
	graceDeadline?: Countdown; // replaces the figure, which then starts the sentence
}

/** How long a platform still waits for data before it ends the broadcast for the audience. */
export interface Countdown {
	share: number; // of the whole grace period
	next: number; // the share in a second
	short: string;
	time: string; // after short; never truncated
	sentence: string;
}

const graceHint = 'It waits some time for data, then ends the broadcast for the audience.';

/** The rest of a platform's grace period. */
export function countdown(e: GraceDeadline, now: number): Countdown {
	const left = Math.min(e.graceMs, Date.parse(e.at) - now); // a clock that is behind ours must not extend it
	const share = (ms: number) => Math.min(1, Math.max(0, ms / Math.max(1, e.graceMs)));
	if (left <= 0)
		return {
			share: 0,
			next: 0,
			short: 'may have ended',
			time: '',
			sentence: `${e.platform} may have ended the broadcast: check there.`,
		};
	const about = span(Math.ceil(left / 1000) * 1000);
	return {
		share: share(left),
		next: share(left - 1000),
		short: 'ends in',
		time: about,
		sentence: `${e.platform} ends the broadcast in about ${about}. ${graceHint}`,
	};
}

// The server's reason without the part that the countdown shows.
function reasonOf(d: DestinationStatus): string {
	const all = d.reason ?? '';
	const at = d.graceDeadline
		? Math.max(
				...[' ends the broadcast in', ' may have ended the broadcast'].map((text) =>
					all.lastIndexOf(d.graceDeadline!.platform + text),
				),
			)
		: -1;
	return at < 0 ? all : all.slice(0, at).replace(/[.\s]+$/, '');
}

function due(d: DestinationStatus, now: number): string {
	const ms = d.nextTry ? Date.parse(d.nextTry) - now : NaN;
	if (Number.isNaN(ms)) return '';
	return ms > 500 ? `next attempt in ${span(ms)}` : 'retrying now';
}

function live(d: DestinationStatus): DestinationText {
	const more = [
		sentence(d.reason),
		d.backup ? 'On the backup address.' : '',
		d.framesDropped > 0 ? `${d.framesDropped} frames dropped.` : '',
	];
	const behind = d.latencyMs >= 500 ? ` · ${(d.latencyMs / 1000).toFixed(1)} s behind` : '';
	return {
		status: d.latencyMs >= 2000 || d.reason ? 'warning' : 'on',
		label: 'LIVE',
		figure: rate(d.kbps) + behind,
		sentence: more.filter(Boolean).join(' '),
	};
}

/** The status of a destination: one light, one label, one figure, one sentence. */
export function destinationText(d: DestinationStatus, now: number): DestinationText {
	const text = statusText(d, now);
	if (!d.graceDeadline) return text;
	return {
		...text,
		figure: '',
		graceDeadline: countdown(d.graceDeadline, now),
		sentence: [sentence(text.figure), text.sentence].filter(Boolean).join(' '),
	};
}

function statusText(d: DestinationStatus, now: number): DestinationText {
	const reason = sentence(reasonOf(d));
	switch (d.state) {
		case 'live':
			return live(d);
		case 'connecting':
			return {
				status: 'busy',
				label: 'CONNECTING',
				figure: '',
				sentence: reason || (d.backup ? 'Connecting to the backup address.' : 'Connecting.'),
			};
		case 'retrying':
			return {
				status: 'warning',
				label: 'RETRYING',
				figure: due(d, now),
				sentence: `${reason || 'The connection was lost.'}${d.attempt > 1 ? ` ${d.attempt} attempts so far.` : ''}`,
			};
		case 'refused':
			return { status: 'fault', label: 'REFUSED', figure: '', sentence: reason || 'The server refused this stream.' };
		case 'off':
			return {
				status: 'off',
				label: 'OFF',
				figure: '',
				sentence: reason || (d.enabled ? 'Starts with the show.' : 'Stays off until you start it.'),
			};
		default:
			return { status: 'off', label: String(d.state).toUpperCase(), figure: '', sentence: reason };
	}
}

/** The status of a feed; without a label when it is fine. */
export function feedText(f: Feed, now: number): StatusText {
	const since = f.since ? span(now - Date.parse(f.since)) : '';
	const problem = sentence(f.problem);
	switch (f.state) {
		case 'live':
			return { status: problem ? 'warning' : 'on', label: '', sentence: problem };
		case 'waiting':
			return { status: 'off', label: 'WAITING', sentence: problem || 'Waiting for video.' };
		case 'lost':
			return {
				status: 'fault',
				label: 'LOST',
				sentence: problem || `No signal${since ? ` for ${since}` : ''}.`,
			};
		case 'stalled':
			return { status: 'fault', label: 'NO VIDEO', sentence: problem || 'Connected, but no video is arriving.' };
		case 'connecting':
			return { status: 'busy', label: 'CONNECTING', sentence: problem || 'Connecting to the camera.' };
		case 'retrying':
			return { status: 'warning', label: 'RETRYING', sentence: problem || 'The camera is not responding.' };
		default:
			return { status: 'off', label: String(f.state).toUpperCase(), sentence: problem };
	}
}

/** Why the program is not what the mixer selected; empty when it is. */
export function programText(p: ProgramState, name: (stream: string) => string): string {
	const reason = ended((p.reason ?? '').replaceAll(p.target || '\0', name(p.target)));
	const suffix = p.failoverOff ? ' Failover is off.' : '';
	switch (p.level) {
		case 'freeze':
			return `Freeze frame: ${reason || `no signal from ${p.target ? name(p.target) : 'the mixer'}.`}${suffix}`;
		case 'backup':
			return `Backup on air (${name(p.onAir)}): ${reason || `no signal from ${name(p.target)}.`}${suffix}`;
		case 'none':
			return sentence(reason) || 'Nothing has been on air yet.';
		default:
			return reason ? sentence(reason) + suffix : suffix.trim();
	}
}

const outputs: Record<string, string> = {
	stream: 'OBS stream',
	record: 'Recording',
	replay: 'Replay',
	virtualcam: 'Virtual camera',
};

export const outputName = (name: string) => outputs[name] ?? name;

/** The status of an output of the mixer. */
export function outputText(o: MixerOutput, now: number): StatusText {
	const since = o.since ? ` ${running(now - Date.parse(o.since))}` : '';
	switch (o.state) {
		case 'on':
			return { status: 'on', label: `ON${since}`, sentence: '' };
		case 'starting':
		case 'stopping':
			return { status: 'busy', label: o.state.toUpperCase(), sentence: '' };
		case 'reconnecting':
			return { status: 'warning', label: 'RECONNECTING', sentence: sentence(o.reason) };
		case 'paused':
			return { status: 'warning', label: `PAUSED${since}`, sentence: '' };
		default:
			return { status: 'off', label: 'OFF', sentence: sentence(o.reason) };
	}
}

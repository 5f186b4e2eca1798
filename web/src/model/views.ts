// What a monitor or tile shows, and the text on it.
import { feedOf, mixerNotSending, title, type Bus, type SourceItem } from './sources';
import type { CodecInfo, State, Watch } from '../api/protocol.gen';
import { feedText, programText } from './text';

export interface View {
	stream: string; // '' when it has no video
	title: string;
	label: string; // beside its colour; '' for none
	bus: Bus;
	watch?: Watch;
	sending: boolean;
	message: string; // why there is no video, or what else the operator must know
	audio?: CodecInfo;
	hasVideo: boolean;
}

/** The view of a bus. */
export function busView(state: State, bus: 'preview' | 'program', now: number): View {
	return bus === 'program' ? programView(state) : previewView(state, now);
}

function programView(s: State): View {
	const p = s.program;
	const source = s.mixer.program;
	const removed = source === '' && p.level === 'mixer' && (s.mixer.onAir ?? []).length > 0; // OBS still shows it
	return {
		stream: 'program',
		title:
			p.level === 'backup'
				? `${title(s, p.onAir)} (backup)`
				: source
					? title(s, source)
					: removed
						? 'Removed scene'
						: 'Nothing on air',
		label: s.show.live ? 'ON AIR' : 'PROGRAM',
		bus: source !== '' || removed ? 'program' : '',
		watch: p.watch,
		sending: p.level !== 'none' && p.level !== 'freeze',
		message: programText({ ...p, reason: mixerNotSending(s) || p.reason }, (stream) => title(s, stream)),
		audio: p.audio,
		hasVideo: p.level !== 'none',
	};
}

function previewView(s: State, now: number): View {
	const source = s.mixer.preview ?? '';
	const feed = feedOf(s, source);
	const others = (s.mixer.sources?.find((x) => x.name === source)?.feeds?.length ?? 1) - 1;
	const message = !s.mixer.connected
		? s.mixer.kind === 'obs'
			? 'OBS is not connected.'
			: 'The mixer is not connected.'
		: !s.mixer.studioMode
			? 'No preview: studio mode is off. Clicking a source puts it on air.'
			: source && !feed
				? 'This source has no camera: it is visible only in the mixer.'
				: feed
					? feedText(feed, now).sentence ||
						(others > 0 ? `Only ${feed.name} is shown here: the scene has ${others} more.` : '')
					: '';
	return {
		stream: feed?.id ?? '',
		title: source ? title(s, source) : 'Nothing in preview',
		label: 'PREVIEW',
		bus: source !== '' ? 'preview' : '',
		watch: feed?.watch,
		sending: feed?.state === 'live',
		message,
		audio: feed?.audio,
		hasVideo: Boolean(feed?.video),
	};
}

const busLabels: Record<Bus, string> = { '': '', preview: 'PREVIEW', program: 'PROGRAM', both: 'PGM + PVW' };

/** The view of a source. */
export function sourceView(item: SourceItem, now: number): View {
	const feed = item.feed;
	const text = feed ? feedText(feed, now) : null;
	return {
		stream: feed?.id ?? '',
		title: item.title,
		label: [busLabels[item.bus], text?.label].filter(Boolean).join(' · '),
		bus: item.bus,
		watch: feed?.watch,
		sending: feed?.state === 'live',
		message: text?.sentence ?? '',
		audio: feed?.audio,
		hasVideo: Boolean(feed?.video),
	};
}

// What a picture on the desk is, and what is to be read on it.
import { feedOf, notSent, title, type Bus, type Place } from './sources';
import type { CodecInfo, State, Watch } from '../api/protocol.gen';
import { feed as feedWords, ladder } from './text';

export interface Shot {
	stream: string; // '' when there is no picture for it
	title: string;
	word: string; // beside its colour; '' for none
	bus: Bus;
	watch?: Watch;
	sending: boolean;
	words: string; // why there is nothing to see, or what else must be read
	audio?: CodecInfo;
	hasPicture: boolean;
}

/** The shot of a bus. */
export function busShot(state: State, bus: 'preview' | 'program', now: number): Shot {
	return bus === 'program' ? programShot(state) : previewShot(state, now);
}

function programShot(s: State): Shot {
	const p = s.program;
	const source = s.mixer.program;
	const gone = source === '' && p.level === 'mixer' && (s.mixer.onAir ?? []).length > 0; // OBS goes on showing what it was
	return {
		stream: 'program',
		title:
			p.level === 'backup'
				? `${title(s, p.onAir)} (backup)`
				: source
					? title(s, source)
					: gone
						? 'A scene that was removed'
						: 'Nothing on air',
		word: s.show.live ? 'ON AIR' : 'PROGRAM',
		bus: source !== '' || gone ? 'program' : '',
		watch: p.watch,
		sending: p.level !== 'none' && p.level !== 'freeze',
		words: ladder({ ...p, reason: notSent(s) || p.reason }, (stream) => title(s, stream)),
		audio: p.audio,
		hasPicture: p.level !== 'none',
	};
}

function previewShot(s: State, now: number): Shot {
	const source = s.mixer.preview ?? '';
	const feed = feedOf(s, source);
	const others = (s.mixer.sources?.find((x) => x.name === source)?.feeds?.length ?? 1) - 1;
	const words = !s.mixer.connected
		? s.mixer.kind === 'obs'
			? 'OBS is not connected.'
			: 'The mixer is not connected.'
		: !s.mixer.studioMode
			? 'There is no preview: studio mode is off. A click on a source puts it on air.'
			: source && !feed
				? 'The mixer shows this source; it has no picture of its own here.'
				: feed
					? feedWords(feed, now).sentence ||
						(others > 0 ? `Only ${feed.name} is seen here: the scene has ${others} more.` : '')
					: '';
	return {
		stream: feed?.id ?? '',
		title: source ? title(s, source) : 'Nothing in preview',
		word: 'PREVIEW',
		bus: source !== '' ? 'preview' : '',
		watch: feed?.watch,
		sending: feed?.state === 'live',
		words,
		audio: feed?.audio,
		hasPicture: Boolean(feed?.video),
	};
}

const busWords: Record<Bus, string> = { '': '', preview: 'PREVIEW', program: 'PROGRAM', both: 'PGM + PVW' };

/** The shot of a place on the desk. */
export function placeShot(place: Place, now: number): Shot {
	const feed = place.feed;
	const words = feed ? feedWords(feed, now) : null;
	return {
		stream: feed?.id ?? '',
		title: place.title,
		word: [busWords[place.bus], words?.word].filter(Boolean).join(' · '),
		bus: place.bus,
		watch: feed?.watch,
		sending: feed?.state === 'live',
		words: words?.sentence ?? '',
		audio: feed?.audio,
		hasPicture: Boolean(feed?.video),
	};
}

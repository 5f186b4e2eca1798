// The sources that the panel shows: the mixer's sources with their feeds, in the order of
// the number keys, then the feeds that no source uses.
import type { Feed, State } from '../api/protocol.gen';

export type Bus = '' | 'preview' | 'program' | 'both';

export interface SourceItem {
	source: string; // its name in commands; '' for a feed that is in no mixer source
	title: string;
	feed: Feed | null; // whose video is shown for it
	others: number; // further feeds in the source
	bus: Bus;
}

const obvanMark = / \[obvan\]$/; // of what the studio created in OBS
const player = / feed \[obvan\]$/;

/** Whether an input of the mixer plays one of our feeds. */
export const playsFeed = (input: string) => player.test(input);

/** The display name of a source, stream or input. */
export function title(state: State, name: string): string {
	const bare = name.replace(player, '').replace(obvanMark, '');
	return state.feeds.find((f) => f.id === bare)?.name || bare;
}

/** The bus an item is on, by the mixer's name for the source; in a transition both sides
 * are on air. The tally decides for a feed that is in no source, is on air as backup, or is
 * in a removed scene that OBS still shows; it says nothing about a scene with several cameras. */
function busOf(state: State, source: string, feed: Feed | null, others: number): Bus {
	const { program, preview, inTransition } = state.mixer;
	const byFeed = source === '' || ((state.program.level === 'backup' || program === '') && others === 0);
	const tally = byFeed && feed ? (state.tally[feed.id] ?? '') : '';
	const onAir =
		(source !== '' && (source === program || (inTransition && source === preview))) ||
		tally === 'program' ||
		tally === 'both';
	const next = (source !== '' && source === preview) || tally === 'preview' || tally === 'both';
	return onAir ? (next ? 'both' : 'program') : next ? 'preview' : '';
}

export function sourceItems(state: State): SourceItem[] {
	const byId = new Map(state.feeds.map((f) => [f.id, f]));
	const shown = new Set<string>();
	const list: SourceItem[] = (state.mixer.sources ?? []).map((source) => {
		const feeds = (source.feeds ?? []).filter((id) => byId.has(id));
		feeds.forEach((id) => shown.add(id));
		const feed = byId.get(feeds[0] ?? source.name) ?? null;
		const alone = feed !== null && feed.id === source.name;
		const others = Math.max(0, feeds.length - 1);
		return {
			source: source.name,
			title: alone ? feed.name || feed.id : title(state, source.name),
			feed,
			others,
			bus: busOf(state, source.name, feed, others),
		};
	});
	for (const item of list) if (item.feed) shown.add(item.feed.id);
	for (const feed of state.feeds) {
		if (!shown.has(feed.id))
			list.push({ source: '', title: feed.name || feed.id, feed, others: 0, bus: busOf(state, '', feed, 0) });
	}
	return list;
}

/** The feed whose video is shown for a source, null when there is none. */
export function feedOf(state: State, source: string): Feed | null {
	if (source === '') return null;
	const feeds = (state.mixer.sources ?? []).find((s) => s.name === source)?.feeds ?? [];
	return state.feeds.find((f) => f.id === (feeds[0] ?? source)) ?? null;
}

/** Why the mixer's output does not reach the program; '' when it does, or is not used. */
export function mixerNotSending(state: State): string {
	const { kind, connected, outputs } = state.mixer;
	const stream = (outputs ?? []).find((o) => o.name === 'stream');
	if (kind !== 'obs' || state.program.target !== 'mixer' || state.program.level === 'mixer') return '';
	if (!connected) return 'OBS is not connected';
	if (stream?.state === 'reconnecting')
		return 'OBS is reconnecting its stream: it is restarted automatically after a few seconds';
	return stream?.state === 'off' ? 'OBS is not streaming to the studio: start its stream to put OBS on air' : '';
}

/** The transitions that are more than a cut. */
export function transitions(state: State): string[] {
	const all = state.mixer.transitions ?? [];
	return all.some((t) => t.toLowerCase() !== 'cut') ? all : [];
}

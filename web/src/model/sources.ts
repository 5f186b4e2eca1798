// What lies on the desk: the mixer's sources with their feeds, in the order of the
// number keys, and behind them the feeds that no source shows.
import type { Feed, State } from '../api/protocol.gen';

export type Bus = '' | 'preview' | 'program' | 'both';

export interface Place {
	source: string; // what commands call it; '' for a feed that the mixer can't show
	title: string;
	feed: Feed | null; // whose live picture stands for it
	others: number; // feeds in the source beside this one
	bus: Bus;
}

const ours = / \[obvan\]$/; // the mark of what the studio made in OBS
const player = / feed \[obvan\]$/;

/** Whether an input of the mixer plays a feed of ours. */
export const playsFeed = (input: string) => player.test(input);

/** The name people gave a source, stream or input. */
export function title(state: State, name: string): string {
	const bare = name.replace(player, '').replace(ours, '');
	return state.feeds.find((f) => f.id === bare)?.name || bare;
}

/** Which bus a place is on, by the mixer's word for the source: in a transition both of
 * its sides are on air. A feed that no source shows, that stands in for the mixer, or is in
 * a scene on air that OBS has no more, is where its tally says; of a scene with several
 * cameras that says nothing. */
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

export function places(state: State): Place[] {
	const byId = new Map(state.feeds.map((f) => [f.id, f]));
	const shown = new Set<string>();
	const list: Place[] = (state.mixer.sources ?? []).map((source) => {
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
	for (const place of list) if (place.feed) shown.add(place.feed.id);
	for (const feed of state.feeds) {
		if (!shown.has(feed.id))
			list.push({ source: '', title: feed.name || feed.id, feed, others: 0, bus: busOf(state, '', feed, 0) });
	}
	return list;
}

/** The feed whose picture stands for a source, null when there is none. */
export function feedOf(state: State, source: string): Feed | null {
	if (source === '') return null;
	const feeds = (state.mixer.sources ?? []).find((s) => s.name === source)?.feeds ?? [];
	return state.feeds.find((f) => f.id === (feeds[0] ?? source)) ?? null;
}

/** Why nothing of the mixer can reach the program; '' when that is not for this. */
export function notSent(state: State): string {
	const { kind, connected, outputs } = state.mixer;
	const stream = (outputs ?? []).find((o) => o.name === 'stream');
	if (kind !== 'obs' || state.program.target !== 'mixer' || state.program.level === 'mixer') return '';
	if (!connected) return 'OBS is not connected';
	if (stream?.state === 'reconnecting')
		return 'OBS waits before it sends its stream again: after some seconds it is started anew';
	return stream?.state === 'off' ? 'OBS’ stream is off: start it, and viewers see what OBS mixes' : '';
}

/** The transitions that are more than a cut. */
export function transitions(state: State): string[] {
	const all = state.mixer.transitions ?? [];
	return all.some((t) => t.toLowerCase() !== 'cut') ? all : [];
}

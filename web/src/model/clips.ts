// Clips: files that play in a loop as a feed, such as the slate.
import type { State } from '../api/protocol.gen';

export const clipUrl = (name: string) => `clip://${name}`;

/** The feeds that play a clip. */
export const feedsPlaying = (state: State, name: string) => state.feeds.filter((f) => f.url === clipUrl(name));

/** Whether a clip is a slate: one of the backups plays it. */
export const isSlate = (state: State, name: string) =>
	feedsPlaying(state, name).some((f) => state.program.backups?.includes(f.id));

/** A file size as text. */
export function size(bytes: number): string {
	return bytes < 950_000
		? `${Math.max(1, Math.round(bytes / 1000))} kB`
		: `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;
}

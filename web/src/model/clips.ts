// Clips: files that loop as a feed, and the slate among them.
import type { State } from '../api/protocol.gen';

export const address = (name: string) => `clip://${name}`;

/** The feeds that play a clip. */
export const players = (state: State, name: string) => state.feeds.filter((f) => f.url === address(name));

/** Whether a clip is a slate: one of the backups plays it. */
export const isSlate = (state: State, name: string) =>
	players(state, name).some((f) => state.program.backups?.includes(f.id));

/** A size as people say it. */
export function size(bytes: number): string {
	return bytes < 950_000
		? `${Math.max(1, Math.round(bytes / 1000))} kB`
		: `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;
}

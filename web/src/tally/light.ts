// What a camera's tally light shows. What is not known for sure now is no colour.
import type { State } from '../api/protocol.gen';

export interface TallyLight {
	kind: 'program' | 'preview' | 'dark' | 'none';
	word: string;
	line: string; // what else the camera should know
}

const none = (line: string): TallyLight => ({ kind: 'none', word: 'NO DATA', line });

/** The light of a feed; up says that the state is not an old one. */
export function light(state: State, up: boolean, feed: string): TallyLight {
	if (!up) return none('No connection to the studio.');
	const camera = state.feeds.find((f) => f.id === feed);
	if (!camera) return none(`The studio knows no camera “${feed}”.`);
	const standsIn = state.program.level === 'backup' && state.program.onAir === feed;
	if (!state.mixer.connected && !standsIn) return none('The studio’s mixer is not connected.');
	const line = camera.state === 'live' ? '' : 'The studio gets no picture from this camera.';
	switch (state.tally[feed]) {
		case 'program':
		case 'both':
			return { kind: 'program', word: state.show.live ? 'ON AIR' : 'PROGRAM', line };
		case 'preview':
			return { kind: 'preview', word: 'PREVIEW', line };
		default:
			return { kind: 'dark', word: 'OFF', line };
	}
}

/** The feed a page's address asks for: /tally/cam1. */
export function feedIn(path: string): string {
	const name = /^\/tally\/([^/]+)\/?$/.exec(path)?.[1] ?? '';
	try {
		return decodeURIComponent(name);
	} catch {
		return name;
	}
}

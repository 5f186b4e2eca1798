// What a camera's tally light shows. An uncertain state has no colour.
import type { State } from '../api/protocol.gen';

export interface TallyLight {
	kind: 'program' | 'preview' | 'dark' | 'none';
	label: string;
	message: string; // what else the camera operator should know
}

const none = (message: string): TallyLight => ({ kind: 'none', label: 'NO DATA', message });

/** The light of a feed; up means that the state is current. */
export function light(state: State, up: boolean, feed: string): TallyLight {
	if (!up) return none('No connection to the studio.');
	const camera = state.feeds.find((f) => f.id === feed);
	if (!camera) return none(`There is no camera "${feed}".`);
	const onAirAsBackup = state.program.level === 'backup' && state.program.onAir === feed;
	if (!state.mixer.connected && !onAirAsBackup) return none('The mixer is not connected.');
	const message = camera.state === 'live' ? '' : 'The studio receives no video from this camera.';
	switch (state.tally[feed]) {
		case 'program':
		case 'both':
			return { kind: 'program', label: state.show.live ? 'ON AIR' : 'PROGRAM', message };
		case 'preview':
			return { kind: 'preview', label: 'PREVIEW', message };
		default:
			return { kind: 'dark', label: 'OFF', message };
	}
}

/** The feed in the page's address: /tally/cam1. */
export function feedFrom(path: string): string {
	const name = /^\/tally\/([^/]+)\/?$/.exec(path)?.[1] ?? '';
	try {
		return decodeURIComponent(name);
	} catch {
		return name;
	}
}

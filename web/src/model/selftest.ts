// The fire drill in the words of the panel.
import type { DestinationState, SelfTestFaulty } from '../api/protocol.gen';
import type { Light } from './text';

const kinds: Record<string, string> = {
	refuse: 'Refuses the key',
	stall: 'Stops reading',
	slow: 'Reads too slowly',
	reset: 'Cuts the connection',
	close: 'Hangs up instead of answering',
	silent: 'Never answers',
};

/** What a far end of the drill does wrong. */
export const misdeed = (kind: string) => kinds[kind] ?? kind;

export const lights: Record<DestinationState, Light> = {
	off: 'off',
	connecting: 'busy',
	live: 'on',
	retrying: 'trouble',
	refused: 'fault',
};

/** What it cost the bad one itself. */
export function cost(b: SelfTestFaulty): string {
	const tries = b.attempt > 1 ? `${b.attempt} tries` : '';
	const left = b.framesDropped > 0 ? `${b.framesDropped} pictures left out` : '';
	return [tries, left].filter(Boolean).join(', ');
}

// The self-test as text.
import type { DestinationState, SelfTestFaulty } from '../api/protocol.gen';
import type { Status } from './text';

const kinds: Record<string, string> = {
	refuse: 'Refuses the key',
	stall: 'Stops reading',
	slow: 'Reads too slowly',
	reset: 'Resets the connection',
	close: 'Closes the connection unanswered',
	silent: 'Never answers',
};

/** What a faulty test destination does wrong. */
export const faultText = (kind: string) => kinds[kind] ?? kind;

export const statusOf: Record<DestinationState, Status> = {
	off: 'off',
	connecting: 'busy',
	live: 'on',
	retrying: 'warning',
	refused: 'fault',
};

/** What it meant for the faulty destination itself. */
export function consequences(b: SelfTestFaulty): string {
	const attempts = b.attempt > 1 ? `${b.attempt} attempts` : '';
	const dropped = b.framesDropped > 0 ? `${b.framesDropped} frames dropped` : '';
	return [attempts, dropped].filter(Boolean).join(', ');
}

// Clips: files that loop as a feed, and the slate among them.
import type { State } from '../api/protocol.gen';

export const maxBytes = 200 * 2 ** 20;

/** How far a file has come. */
export type Stage =
	| { at: 'sending'; part: number } // 0 to 1
	| { at: 'making' } // all of it is there: it is checked, and converted where it must be
	| { at: 'ready' }
	| { at: 'failed'; why: string };

/** The part of a browser's XMLHttpRequest that is used: fetch does not say how much has left. */
type Request = Pick<XMLHttpRequest, 'open' | 'send' | 'abort' | 'status' | 'responseText' | 'onload' | 'onerror'> & {
	upload: Pick<XMLHttpRequestUpload, 'onprogress' | 'onload'>;
};

/** Brings a file in as the clip of this name; returns what breaks that off. */
export function bring(
	file: Blob,
	name: string,
	tell: (stage: Stage) => void,
	request: Request = new XMLHttpRequest(),
): () => void {
	if (file.size > maxBytes) {
		tell({ at: 'failed', why: `It is too big: ${size(file.size)}, and a clip has ${size(maxBytes)} at most.` });
		return () => {};
	}
	request.upload.onprogress = (e) => tell({ at: 'sending', part: e.total > 0 ? e.loaded / e.total : 0 });
	request.upload.onload = () => tell({ at: 'making' });
	request.onload = () =>
		tell(request.status < 300 ? { at: 'ready' } : { at: 'failed', why: reason(request.responseText, request.status) });
	request.onerror = () => tell({ at: 'failed', why: 'The server did not take it: the connection broke.' });
	request.open('PUT', `/api/v1/clips/${encodeURIComponent(name)}`);
	request.send(file);
	tell({ at: 'sending', part: 0 });
	return () => request.abort();
}

/** Why the server did not take a file, in its words. */
export function reason(answer: string, status: number): string {
	try {
		return (JSON.parse(answer) as { error: { message: string } }).error.message;
	} catch {
		return `The server answered ${status}.`;
	}
}

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

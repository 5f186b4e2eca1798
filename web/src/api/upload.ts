// Uploads clips and logos.

export const maxBytes = 200 * 2 ** 20;
const mb = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;

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
		tell({ at: 'failed', why: `The file is too large: ${mb(file.size)}. A clip can have up to ${mb(maxBytes)}.` });
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

/** Brings a file in as a logo; what is wrong with it, '' when nothing is. */
export async function bringLogo(file: Blob, name: string, put: typeof fetch = fetch): Promise<string> {
	try {
		const answer = await put(`/api/v1/logos/${encodeURIComponent(name)}`, { method: 'PUT', body: file });
		return answer.ok ? '' : reason(await answer.text(), answer.status);
	} catch {
		return 'The server did not take it: the connection broke.';
	}
}

// Uploads clips and logos.

export const maxBytes = 200 * 2 ** 20;
const mb = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;

/** How far an upload is. */
export type UploadStage =
	| { at: 'uploading'; fraction: number } // 0 to 1
	| { at: 'processing' } // the server has all of it, checks it, and converts it where necessary
	| { at: 'ready' }
	| { at: 'failed'; reason: string };

/** The fraction of a browser's XMLHttpRequest that is used: fetch reports no progress. */
type Request = Pick<XMLHttpRequest, 'open' | 'send' | 'abort' | 'status' | 'responseText' | 'onload' | 'onerror'> & {
	upload: Pick<XMLHttpRequestUpload, 'onprogress' | 'onload'>;
};

/** Uploads a file as the clip of this name; returns a function that cancels it. */
export function uploadClip(
	file: Blob,
	name: string,
	report: (stage: UploadStage) => void,
	request: Request = new XMLHttpRequest(),
): () => void {
	if (file.size > maxBytes) {
		report({ at: 'failed', reason: `The file is too large: ${mb(file.size)}. A clip can have up to ${mb(maxBytes)}.` });
		return () => {};
	}
	request.upload.onprogress = (e) => report({ at: 'uploading', fraction: e.total > 0 ? e.loaded / e.total : 0 });
	request.upload.onload = () => report({ at: 'processing' });
	request.onload = () =>
		report(
			request.status < 300 ? { at: 'ready' } : { at: 'failed', reason: refusal(request.responseText, request.status) },
		);
	request.onerror = () => report({ at: 'failed', reason: 'Upload failed: the connection was lost.' });
	request.open('PUT', `/api/v1/clips/${encodeURIComponent(name)}`);
	request.send(file);
	report({ at: 'uploading', fraction: 0 });
	return () => request.abort();
}

/** Why the server refused a file, in its own sentence. */
export function refusal(answer: string, status: number): string {
	try {
		return (JSON.parse(answer) as { error: { message: string } }).error.message;
	} catch {
		return `The server answered ${status}.`;
	}
}

/** Uploads a file as a logo; returns why that failed, '' when it did not. */
export async function uploadLogo(file: Blob, name: string, put: typeof fetch = fetch): Promise<string> {
	try {
		const answer = await put(`/api/v1/logos/${encodeURIComponent(name)}`, { method: 'PUT', body: file });
		return answer.ok ? '' : refusal(await answer.text(), answer.status);
	} catch {
		return 'Upload failed: the connection was lost.';
	}
}

import { expect, test } from 'vitest';
import { uploadClip, uploadLogo, maxBytes, type UploadStage } from './upload';

class Sent {
	upload: { onprogress: ((e: ProgressEvent) => void) | null; onload: (() => void) | null } = {
		onprogress: null,
		onload: null,
	};
	onload: (() => void) | null = null;
	onerror: (() => void) | null = null;
	status = 200;
	responseText = '{"result":null}';
	path = '';
	body: unknown = null;
	open(_: string, path: string) {
		this.path = path;
	}
	send(body: unknown) {
		this.body = body;
	}
	abort() {
		this.path = '';
	}
}

function upload(file: Blob, name = 'slate') {
	const request = new Sent();
	const stages: UploadStage[] = [];
	const stop = uploadClip(file, name, (s) => stages.push(s), request as never);
	return { request, stages, stop };
}

test('an upload reports its progress, its processing and its end', () => {
	const { request, stages } = upload(new Blob(['x']), 'my slate');
	expect(request.path).toBe('/api/v1/clips/my%20slate');
	request.upload.onprogress?.({ loaded: 30, total: 120 } as ProgressEvent);
	request.upload.onload?.();
	request.onload?.();
	expect(stages).toEqual([
		{ at: 'uploading', fraction: 0 },
		{ at: 'uploading', fraction: 0.25 },
		{ at: 'processing' },
		{ at: 'ready' },
	]);
});

test('a refused upload has the reason of the server', () => {
	const { request, stages } = upload(new Blob(['x']));
	request.status = 409;
	request.responseText = '{"error":{"code":"conflict","message":"this machine has no ffmpeg"}}';
	request.onload?.();
	expect(stages.at(-1)).toEqual({ at: 'failed', reason: 'this machine has no ffmpeg' });
	request.status = 502;
	request.responseText = '<html>';
	request.onload?.();
	expect(stages.at(-1)).toEqual({ at: 'failed', reason: 'The server answered 502.' });
	request.onerror?.();
	expect(stages.at(-1)).toMatchObject({ at: 'failed' });
});

test('a file that is too large is not sent', () => {
	const { request, stages } = upload({ size: maxBytes + 1 } as Blob);
	expect(request.body).toBeNull();
	expect(stages).toEqual([{ at: 'failed', reason: 'The file is too large: 200 MB. A clip can have up to 200 MB.' }]);
});

test('a refused logo has the reason of the server', async () => {
	const put = (ok: boolean, text: string) => async () => ({ ok, status: 400, text: async () => text }) as Response;
	expect(await uploadLogo(new Blob(['x']), 'sponsor', put(true, ''))).toBe('');
	expect(
		await uploadLogo(new Blob(['x']), 'sponsor', put(false, '{"error":{"message":"this can\'t be a logo"}}')),
	).toBe("this can't be a logo");
	expect(await uploadLogo(new Blob(['x']), 'sponsor', () => Promise.reject(new Error()))).toContain(
		'connection was lost',
	);
});

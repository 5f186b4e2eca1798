import { expect, test } from 'vitest';
import { bring, isSlate, maxBytes, size, type Stage } from './clips';
import type { Feed } from '../api/protocol.gen';
import { empty } from '../api/studio.svelte';

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
	const stages: Stage[] = [];
	const stop = bring(file, name, (s) => stages.push(s), request as never);
	return { request, stages, stop };
}

test('a file says how much of it has left, when it is made, and when it is ready', () => {
	const { request, stages } = upload(new Blob(['x']), 'my slate');
	expect(request.path).toBe('/api/v1/clips/my%20slate');
	request.upload.onprogress?.({ loaded: 30, total: 120 } as ProgressEvent);
	request.upload.onload?.();
	request.onload?.();
	expect(stages).toEqual([
		{ at: 'sending', part: 0 },
		{ at: 'sending', part: 0.25 },
		{ at: 'making' },
		{ at: 'ready' },
	]);
});

test('a refusal is in the words of the server', () => {
	const { request, stages } = upload(new Blob(['x']));
	request.status = 409;
	request.responseText = '{"error":{"code":"conflict","message":"this machine has no ffmpeg"}}';
	request.onload?.();
	expect(stages.at(-1)).toEqual({ at: 'failed', why: 'this machine has no ffmpeg' });
	request.status = 502;
	request.responseText = '<html>';
	request.onload?.();
	expect(stages.at(-1)).toEqual({ at: 'failed', why: 'The server answered 502.' });
	request.onerror?.();
	expect(stages.at(-1)).toMatchObject({ at: 'failed' });
});

test('what is too big is not sent', () => {
	const { request, stages } = upload({ size: maxBytes + 1 } as Blob);
	expect(request.body).toBeNull();
	expect(stages).toEqual([{ at: 'failed', why: 'It is too big: 200 MB, and a clip has 200 MB at most.' }]);
});

test('a clip is the slate when a backup plays it', () => {
	const feeds = [
		{ id: 'cam1', url: 'rtsp://x' },
		{ id: 'pause', url: 'clip://slate' },
	] as Feed[];
	expect(isSlate({ ...empty, feeds, program: { ...empty.program, backups: ['cam1'] } }, 'slate')).toBe(false);
	expect(isSlate({ ...empty, feeds, program: { ...empty.program, backups: ['cam1', 'pause'] } }, 'slate')).toBe(true);
});

test('sizes are short', () => {
	expect([size(12), size(48_200), size(1_500_000), size(20 * 2 ** 20)]).toEqual(['1 kB', '48 kB', '1.4 MB', '20 MB']);
});

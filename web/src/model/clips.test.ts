import { expect, test } from 'vitest';
import { isSlate, size } from './clips';
import type { Feed } from '../api/protocol.gen';
import { empty } from '../api/types';

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

import { expect, test, vi } from 'vitest';
import { iceServers, IceServers } from './ice';

test('servers are read from Link headers, other links are not', () => {
	const header =
		'<stun:stun.example.net>; rel="ice-server", <turn:turn.example.net?transport=udp>; rel="ice-server"; username="us\\"er"; credential="pa,ss;word"; credential-type="password", </other>; rel="next", <javascript:alert(1)>; rel="ice-server"';
	expect(iceServers(header)).toEqual([
		{ urls: 'stun:stun.example.net' },
		{ urls: 'turn:turn.example.net?transport=udp', username: 'us"er', credential: 'pa,ss;word' },
	]);
	expect(iceServers(null)).toEqual([]);
	expect(iceServers('<<<;;;')).toEqual([]);
});

test('the studio is asked once for all players, and again after it was unreachable', async () => {
	let up = false;
	const ask = vi.fn(async () => {
		if (!up) throw new Error('unreachable');
		return new Response(null, { status: 204, headers: { Link: '<stun:s>; rel="ice-server"' } });
	});
	const servers = new IceServers('/whep/', ask);
	expect(await servers.get()).toEqual([]);
	up = true;
	expect(await Promise.all([servers.get(), servers.get()])).toEqual([[{ urls: 'stun:s' }], [{ urls: 'stun:s' }]]);
	expect(ask).toHaveBeenCalledTimes(2);
});

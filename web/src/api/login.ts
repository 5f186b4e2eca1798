// The token of a login link. It is behind the #, the part of an address that browsers never send.
import type { Browser, Socket } from './types';

function token(hash: string): string {
	const found = /^#token=([\w.~%-]+)$/.exec(hash)?.[1] ?? '';
	try {
		return decodeURIComponent(found);
	} catch {
		return found;
	}
}

/** The token in this page's address; it is removed from the address bar at once. */
export function tokenFromLink(): string {
	const found = token(location.hash);
	if (found) history.replaceState(null, '', location.pathname + location.search);
	return found;
}

export const socket = (query = '') =>
	new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws${query}`) as unknown as Socket;

/** The browser of an unattended screen: the token stays in its address, so that the page
 * reconnects after a power cut, and does not replace the session of a panel in the same browser. */
export function screenBrowser(): Browser {
	const own = token(location.hash);
	return {
		open: () => socket(own ? `?token=${encodeURIComponent(own)}` : ''),
		fetch: (path, init) =>
			fetch(path, own ? { ...init, headers: { ...init?.headers, Authorization: `Bearer ${own}` } } : init),
		random: Math.random,
	};
}

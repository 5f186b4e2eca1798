// The token of a login link. It stands behind the #, which browsers send to nobody.
import type { Browser, Socket } from './types';

function token(hash: string): string {
	const found = /^#token=([\w.~%-]+)$/.exec(hash)?.[1] ?? '';
	try {
		return decodeURIComponent(found);
	} catch {
		return found;
	}
}

/** The token in this page's address; it leaves the address bar before anything else happens. */
export function tokenFromLink(): string {
	const found = token(location.hash);
	if (found) history.replaceState(null, '', location.pathname + location.search);
	return found;
}

export const socket = (query = '') =>
	new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws${query}`) as unknown as Socket;

/** What a screen that nobody sits at needs: the token stays in its address, so that it
 * comes back by itself after a power cut, and the login of a panel beside it stays. */
export function screenBrowser(): Browser {
	const own = token(location.hash);
	return {
		open: () => socket(own ? `?token=${encodeURIComponent(own)}` : ''),
		fetch: (path, init) =>
			fetch(path, own ? { ...init, headers: { ...init?.headers, Authorization: `Bearer ${own}` } } : init),
		random: Math.random,
	};
}

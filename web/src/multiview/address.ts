// The view in the page's address: /multiview/program, /multiview/feed/cam1.

/** "program", "preview", "feed/<id>", or "" for all. */
export function viewFrom(path: string): string {
	const rest = /^\/multiview\/(program|preview|feed\/[^/]+)\/?$/.exec(path)?.[1] ?? '';
	try {
		return decodeURIComponent(rest);
	} catch {
		return '';
	}
}

export function address(view: string): string {
	const [kind, id] = view.split('/', 2);
	return `/multiview${view ? `/${kind}` : ''}${id ? `/${encodeURIComponent(id)}` : ''}`;
}

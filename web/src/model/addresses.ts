// The addresses that devices send a feed to.
import type { Show } from '../api/protocol.gen';

export interface Addresses {
	server: string;
	streamKey: string;
	rtmp: string;
	rtsp: string;
	user: string;
	ffmpeg: string;
	local: boolean; // the host name is not reachable from other machines
}

export function addresses(id: string, key: string, host: string, show: Pick<Show, 'rtmpPort' | 'rtspPort'>): Addresses {
	const at = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
	const port = (n: number, usual: number) => (n && n !== usual ? `:${n}` : '');
	const server = `rtmp://${at}${port(show.rtmpPort, 1935)}/live`;
	const streamKey = key ? `${id}?key=${encodeURIComponent(key)}` : id;
	return {
		server,
		streamKey,
		rtmp: `${server}/${streamKey}`,
		rtsp: `rtsp://${at}${port(show.rtspPort, 554)}/${streamKey}`,
		user: id,
		ffmpeg: `ffmpeg -re -i film.mp4 -c:v libx264 -preset veryfast -bf 0 -g 30 -c:a aac -f flv '${server}/${streamKey}'`,
		local: isLocal(host),
	};
}

/** Whether a host name is only valid on this machine. */
export function isLocal(host: string): boolean {
	return host === 'localhost' || host === '::1' || host === '[::1]' || host.startsWith('127.');
}

/** The page that turns a browser into this camera. Browsers never send what is behind the #. */
export function cameraLink(id: string, key: string, host: string, page: { protocol: string; port: string }): string {
	const at = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
	const secret = key ? `&key=${encodeURIComponent(key)}` : '';
	return `${page.protocol}//${at}${page.port ? `:${page.port}` : ''}/camera#feed=${encodeURIComponent(id)}${secret}`;
}

/** A feed id from its display name; never one that is in use. */
export function idFrom(name: string, taken: string[]): string {
	const plain = name
		.normalize('NFKD')
		.replace(/[\u0300-\u036f]/g, '')
		.toLowerCase();
	const id =
		plain
			.replace(/[^a-z0-9._-]+/g, '-')
			.replace(/^[^a-z0-9]+|[-._]+$/g, '')
			.slice(0, 56) || 'cam';
	const reserved = [...taken, 'program', 'mixer'];
	for (let n = 1; ; n++) {
		const candidate = n === 1 ? id : `${id}-${n}`;
		if (!reserved.includes(candidate)) return candidate;
	}
}

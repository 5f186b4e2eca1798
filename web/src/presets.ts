// Where shows usually go: the forms of the add-destination dialog.

export interface Preset {
	id: string;
	name: string;
	url: string; // "" when the platform gives each show its own
	backupUrl?: string;
	hint: string;
}

export const presets: Preset[] = [
	{
		id: 'youtube',
		name: 'YouTube',
		url: 'rtmps://a.rtmps.youtube.com/live2',
		backupUrl: 'rtmps://b.rtmps.youtube.com/live2?backup=1',
		hint: 'YouTube Studio > Create > Go live > Stream key.',
	},
	{ id: 'twitch', name: 'Twitch', url: 'rtmps://ingest.global-contribute.live-video.net/app', hint: 'Twitch > Creator Dashboard > Settings > Stream > Primary stream key.' },
	{ id: 'facebook', name: 'Facebook', url: 'rtmps://live-api-s.facebook.com:443/rtmp', hint: 'Facebook > Live Producer > Streaming software > Stream key.' },
	{ id: 'kick', name: 'Kick', url: '', hint: 'Kick > Creator Dashboard > Settings > Stream: it shows a stream URL and a key, both are yours alone.' },
	{ id: 'tiktok', name: 'TikTok', url: '', hint: 'TikTok LIVE Studio or LIVE Center: it shows a server URL and a key for each show.' },
	{ id: 'restream', name: 'Restream', url: 'rtmps://live.restream.io:1937/live', hint: 'Restream > Streaming setup > RTMP settings.' },
	{ id: '', name: 'Other RTMP server', url: '', hint: 'rtmp://server/app or rtmps://server/app, as its maker says.' },
];

/** The server's own list when it has one. */
export async function load(get: typeof fetch = fetch): Promise<Preset[]> {
	try {
		const answer = await get('/api/v1/platforms');
		const list = answer.ok ? ((await answer.json()) as { result?: Preset[] } | Preset[]) : [];
		const found = Array.isArray(list) ? list : (list.result ?? []);
		return found.length > 0 ? found : presets;
	} catch {
		return presets;
	}
}

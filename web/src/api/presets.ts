// The platforms of the add-destination dialog. The server has the list, as it also knows
// what each platform accepts.

export interface Preset {
	id: string;
	name: string;
	url: string; // "" when the platform gives every show its own
	backupUrl?: string;
	sendToBoth?: boolean; // it accepts both addresses at the same time, and recommends it
	hint: string;
}

export const other: Preset = {
	id: '',
	name: 'Other RTMP server',
	url: '',
	hint: 'rtmp://server/app or rtmps://server/app, as given by the provider.',
};

/** The server's list; without it a plain form still works. */
export async function load(get: typeof fetch = fetch): Promise<Preset[]> {
	try {
		const answer = await get('/api/v1/platforms');
		const list = answer.ok ? ((await answer.json()) as Preset[]) : [];
		return list.some((p) => p.id === '') ? list : [...list, other];
	} catch {
		return [other];
	}
}

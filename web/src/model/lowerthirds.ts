// Lower thirds in the words of the panel.
import type { GraphicsState, LowerThird, LowerThirdTemplate } from '../api/protocol.gen';
import { running, sentence } from './text';

export interface Air {
	light: 'off' | 'asked' | 'on' | 'unsure';
	word: string;
	title: string; // of what is on air
	sentence: string;
}

const sureWithin = 3000;

/** What is on air, and whether somebody really shows it; elsewhere is why viewers see
 * another picture than the one it is in. */
export function air(g: GraphicsState, up: boolean, now: number, elsewhere = ''): Air {
	if (!up) return { light: 'unsure', word: 'UNKNOWN', title: '', sentence: 'Nothing is heard from the server.' };
	const on = g.onAir;
	const problem = sentence(g.problem);
	if (!on) return { light: 'off', word: 'OFF', title: '', sentence: problem };
	const title = on.text.name ?? '';
	if (elsewhere) return { light: 'unsure', word: 'NOT SEEN', title, sentence: problem || elsewhere };
	if (on.confirmed)
		return {
			light: 'on',
			word: 'ON AIR',
			title,
			sentence: on.outAt ? `Out in ${running(Date.parse(on.outAt) - now + 999)}` : problem,
		};
	if (!problem && now - Date.parse(on.since) < sureWithin)
		return { light: 'asked', word: 'GOING ON AIR', title, sentence: '' };
	return {
		light: 'unsure',
		word: 'NOT SEEN',
		title,
		sentence: problem || 'It was asked for, but nothing says that it is shown.',
	};
}

/** An item on one line of the list. */
export function lines(item: LowerThird, templates: LowerThirdTemplate[]): { name: string; rest: string; kind: string } {
	const template = templates.find((t) => t.id === item.template);
	const others = (template?.fields ?? []).filter((f) => f.name !== 'name' && !f.logo).map((f) => item.text[f.name]);
	return {
		name: item.text.name || '–',
		rest: others.filter(Boolean).join(' · '),
		kind: template && template.id !== templates[0]?.id ? template.name : '',
	};
}

/** The picture of a logo. */
export const logoPath = (name: string) => `/api/v1/logos/${encodeURIComponent(name)}.png`;

/** Where an item comes to lie when it is dropped before the one at this place. */
export function dropped(ids: string[], id: string, before: number): number | null {
	const from = ids.indexOf(id);
	const to = from < before ? before - 1 : before;
	return from < 0 || to === from ? null : to;
}

/** Seconds as they are typed; null when that is no time. */
export function seconds(typed: string): number | null {
	const n = Number(typed.trim().replace(',', '.') || 0);
	return Number.isFinite(n) && n >= 0 && n <= 600 ? Math.round(n * 1000) : null;
}

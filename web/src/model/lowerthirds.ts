// Lower thirds as text, and their order.
import type { GraphicsState, LowerThird, LowerThirdTemplate } from '../api/protocol.gen';
import { noConnection } from '../api/types';
import { running, sentence } from './text';

export interface OnAirText {
	status: 'off' | 'pending' | 'on' | 'unconfirmed';
	label: string;
	title: string; // of the lower third on air
	sentence: string;
}

const confirmWithin = 3000;

/** What is on air, and whether an output confirms it; elsewhere is why viewers see another
 * source than the one it is in. */
export function onAirText(g: GraphicsState, up: boolean, now: number, elsewhere = ''): OnAirText {
	if (!up) return { status: 'unconfirmed', label: 'UNKNOWN', title: '', sentence: noConnection };
	const on = g.onAir;
	const problem = sentence(g.problem);
	if (!on) return { status: 'off', label: 'OFF', title: '', sentence: problem };
	const title = on.text.name ?? '';
	if (elsewhere) return { status: 'unconfirmed', label: 'NOT VISIBLE', title, sentence: problem || elsewhere };
	if (on.confirmed)
		return {
			status: 'on',
			label: 'ON AIR',
			title,
			sentence: on.outAt ? `Hides in ${running(Date.parse(on.outAt) - now + 999)}` : problem,
		};
	if (!problem && now - Date.parse(on.since) < confirmWithin)
		return { status: 'pending', label: 'GOING ON AIR', title, sentence: '' };
	return {
		status: 'unconfirmed',
		label: 'NOT VISIBLE',
		title,
		sentence: problem || 'Requested, but no output confirms that it is visible.',
	};
}

/** The text of an item in the list. */
export function itemText(
	item: LowerThird,
	templates: LowerThirdTemplate[],
): { name: string; rest: string; kind: string } {
	const template = templates.find((t) => t.id === item.template);
	const others = (template?.fields ?? []).filter((f) => f.name !== 'name' && !f.logo).map((f) => item.text[f.name]);
	return {
		name: item.text.name || '–',
		rest: others.filter(Boolean).join(' · '),
		kind: template && template.id !== templates[0]?.id ? template.name : '',
	};
}

/** The image of a logo. */
export const logoPath = (name: string) => `/api/v1/logos/${encodeURIComponent(name)}.png`;

/** The new index of an item that is dropped before the one at this index. */
export function dropIndex(ids: string[], id: string, before: number): number | null {
	const from = ids.indexOf(id);
	const to = from < before ? before - 1 : before;
	return from < 0 || to === from ? null : to;
}

/** Typed seconds in milliseconds; null when that is no time. */
export function seconds(typed: string): number | null {
	const n = Number(typed.trim().replace(',', '.') || 0);
	return Number.isFinite(n) && n >= 0 && n <= 600 ? Math.round(n * 1000) : null;
}

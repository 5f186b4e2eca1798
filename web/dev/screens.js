// Screenshots of the other pages: node dev/screens.js FOLDER. ONLY picks some.
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { fake, show } from './fake.js';

const folder = process.argv[2] ?? 'shots';
const only = process.env.ONLY;
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
	args: '--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync --autoplay-policy=no-user-gesture-required'.split(
		' ',
	),
});

async function shoot(name, [width, height], path, state, act = async () => {}) {
	if (only && !name.match(only)) return;
	const page = await browser.newPage({ viewport: { width, height } });
	page.on('pageerror', (e) => console.log(name, 'page error:', e.message));
	page.on('console', (m) => m.type() === 'error' && console.log(name, 'console:', m.text()));
	const link = await fake(page, state, 'viewer');
	await page.goto(`http://panel.test${path}`);
	await page.waitForTimeout(1200);
	await act(page, link);
	await page.screenshot({ path: `${folder}/${name}.png` });
	const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	if (over > 0) console.log(name, 'is', over, 'px too wide');
	await page.close();
}

const phone = [390, 844];
const desk = [1920, 1080];
const onAir = (template, name, title = '', logo = '') => {
	const state = show(4);
	state.graphics = {
		...state.graphics,
		onAir: { id: 'x', template, text: { name, title, logo }, since: new Date().toISOString(), confirmed: true },
	};
	return state;
};
// A background below the overlay.
const under = async (page) => {
	await page.addStyleTag({
		content:
			'html { background: linear-gradient(120deg, #6b7f94, #b8a98b 40%, #3c5a3c) 0 0 / 100vw 100vh !important; }',
	});
	await page.waitForTimeout(100);
};

const lines = {
	short: ['person', 'Ada Lovelace', 'First programmer'],
	logo: ['person', 'Ada Lovelace', 'First programmer', 'sponsor'],
	logolong: [
		'person',
		'Prof. Dr. Karlheinz Wüstenfeld-Montgomery von und zu Hohenlohe-Langenburg',
		'Professor of comparative linguistics and head of the department of endangered languages',
		'sponsor',
	],
	logoarabic: ['person', 'محمد عبد الرحمن بن خالد', 'مراسل من القاهرة', 'sponsor'],
	alone: ['person', 'Alan Turing'],
	long: [
		'person',
		'Prof. Dr. Dr. h. c. Karlheinz Wüstenfeld-Montgomery von und zu Hohenlohe-Langenburg',
		'Professor of comparative linguistics and head of the department of endangered languages, University of Klagenfurt',
	],
	toolong: ['person', 'Wolfeschlegelsteinhausenbergerdorff'.repeat(5), 'x '.repeat(100)],
	arabic: ['person', 'محمد عبد الرحمن بن خالد', 'مراسل من القاهرة، BBC News'],
	hebrew: ['person', 'שרה לוי', 'Correspondent in Haifa'],
	cjk: ['person', '山田太郎 · 김민준', '東京大学 教授'],
	emoji: ['person', 'DJ 🎧 Zoë 👩🏽‍🚀', '🏳️‍🌈 Høyre & Wärmländsk <b>“quotes”</b>'],
	headline: ['headline', 'Storm closes the northern motorway; trains run an hour late'],
	headlong: [
		'headline',
		'Storm closes the northern motorway; trains run an hour late, ferries stay in port, and the airport of the capital expects the first flights not before Sunday morning, say the authorities',
	],
	headarabic: ['headline', 'عاصفة تغلق الطريق السريع الشمالي'],
	place: ['place', 'Reykjavík', '21:40'],
	placelong: ['place', 'Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogoch', '21:40 local time'],
};
for (const [name, line] of Object.entries(lines))
	await shoot(`overlay-${name}`, desk, '/overlay#token=abc', onAir(...line), under);
await shoot('overlay-small', [640, 360], '/overlay', onAir(...lines.long), under);
await shoot('overlay-tall', [1080, 1920], '/overlay', onAir(...lines.long), under);
await shoot('overlay-square', [720, 720], '/overlay', onAir(...lines.headline), under);

const lit = (kind, change = {}) => ({ ...show(4), tally: kind ? { cam1: kind } : {}, ...change });
await shoot('tally-program', phone, '/tally/cam1', lit('program'));
await shoot('tally-preview', phone, '/tally/cam1', lit('preview'));
await shoot('tally-dark', phone, '/tally/cam1', lit(''));
await shoot('tally-wide', [844, 390], '/tally/cam1', lit('program'));
await shoot('tally-lost', phone, '/tally/cam1', lit('program'), async (page, link) => {
	link.cut();
	await page.waitForTimeout(3200);
});
await shoot('tally-lostfeed', phone, '/tally/cam6', { ...show(8), tally: { cam6: 'preview' } });
await shoot('tally-choose', phone, '/tally', show(8));
await shoot('tally-tablet', [1024, 768], '/tally/cam6', { ...show(8), tally: { cam6: 'program' } });

for (const [size, wh] of Object.entries({ desk, tablet: [1024, 768], phone })) {
	for (const n of [1, 4, 8, 16]) await shoot(`multi-${size}-${n}`, wh, '/multiview', show(n));
	await shoot(`multi-${size}-view`, wh, '/multiview/program', show(4), async (page) => {
		await page.getByRole('button', { name: '9:16' }).click();
		await page.getByRole('button', { name: 'Safe area' }).click();
		await page.mouse.move(wh[0] / 2, wh[1] / 2);
		await page.waitForTimeout(300);
	});
}
await shoot('multi-desk-0', desk, '/multiview', show(0));
await shoot('multi-desk-lost', desk, '/multiview', show(8), async (page, link) => {
	link.cut();
	await page.waitForTimeout(2500);
});
await browser.close();

// Screenshots of the panel at the sizes it is designed for: node dev/shots.js FOLDER [URL].
// With the URL of a running server (a login link), that; else the fake show.
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { selfTestReport } from './studio.js';
import { everywhere, fake, locked, show, wordy } from './fake.js';

const [folder = 'shots', url] = process.argv.slice(2);
const sizes = {
	desk: [1920, 1080],
	window: [1600, 860],
	laptop: [1366, 768],
	tablet: [1024, 768],
	portrait: [768, 1024],
	phone: [390, 844],
};
const args =
	'--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required';

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
	args: args.split(' '),
});

async function shoot(
	name,
	size,
	cameras,
	act = async () => {},
	role = 'admin',
	mixer = 'cut',
	change = (state) => state,
) {
	const [width, height] = sizes[size];
	const page = await browser.newPage({ viewport: { width, height } });
	page.on('pageerror', (e) => console.log(name, 'page error:', e.message));
	page.on('console', (m) => m.type() === 'error' && console.log(name, 'console:', m.text()));
	const link = url ? null : await fake(page, change(show(cameras, mixer)), role);
	await page.goto(url ?? 'http://panel.test/');
	await page.waitForTimeout(url ? 5000 : 2500);
	await act(page, link);
	await page.screenshot({
		path: `${folder}/${name}.png`,
		fullPage: !['desk', 'window', 'laptop'].includes(size) && !name.includes('dialog'),
	});
	const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	if (over > 0) console.log(name, 'is', over, 'px too wide');
	await page.close();
}

const only = process.env.ONLY;
const plan = [
	...Object.keys(sizes).map((size) => [`${size}-4`, size, 4]),
	...(url
		? []
		: [
				...Object.keys(sizes).map((size) => [`${size}-8`, size, 8]),
				['desk-obs', 'desk', 5, undefined, 'director', 'obs'],
				['tablet-obs', 'tablet', 5, undefined, 'director', 'obs'],
				['phone-obs', 'phone', 5, undefined, 'director', 'obs'],
				['window-obs', 'window', 8, undefined, 'director', 'obs'],
				['laptop-obs', 'laptop', 4, undefined, 'director', 'obs'],
				['desk-16', 'desk', 16],
				[
					'desk-edit',
					'desk',
					4,
					async (page) => {
						await page.getByRole('button', { name: /Grace Hopper: edit/ }).click();
						await page.waitForTimeout(200);
					},
				],
				[
					'desk-taken',
					'desk',
					4,
					async (page) => {
						await page.keyboard.press('g');
						await page.keyboard.press('1');
						await page.waitForTimeout(500);
						await page.keyboard.press('g');
						await page.waitForTimeout(100);
					},
				],
				[
					'phone-edit',
					'phone',
					4,
					async (page) => {
						await page.getByRole('button', { name: /Ada Lovelace: edit/ }).click();
						await page.waitForTimeout(200);
					},
				],
				[
					'desk-view',
					'desk',
					4,
					async (page) => {
						await page.keyboard.press('f');
						await page.waitForTimeout(1500);
					},
				],
				[
					'desk-dialog-import',
					'desk',
					4,
					async (page) => {
						await page.getByRole('button', { name: 'Import' }).click();
						await page.getByLabel('Table').fill('name;title\nAda "Countess" Lovelace;Poet');
						await page.getByRole('button', { name: /Import 2/ }).click();
						await page.waitForTimeout(200);
					},
				],
				[
					'desk-dialog-setup',
					'desk',
					4,
					async (page) => {
						await page.getByRole('button', { name: 'Set up…' }).click();
						await page.waitForTimeout(300);
					},
					'director',
					'obs',
				],
				[
					'desk-dialog-backups',
					'desk',
					5,
					async (page) => {
						await page.getByRole('button', { name: 'Backups…' }).click();
						await page.waitForTimeout(200);
					},
					'director',
					'obs',
				],
				...['desk', 'laptop', 'tablet', 'phone'].flatMap((size) => [
					[`${size}-12`, size, 12, undefined, 'admin', 'cut', everywhere],
					[`${size}-wordy`, size, 6, undefined, 'admin', 'cut', wordy],
				]),
				['desk-locked', 'desk', 4, undefined, 'admin', 'obs', locked],
				[
					'desk-dialog-password',
					'desk',
					4,
					async (page) => {
						await page.getByRole('button', { name: /Enter the OBS/ }).click();
						await page.getByRole('textbox', { name: 'Password' }).fill('secret');
						await page.getByRole('button', { name: 'Connect', exact: true }).click();
						await page.waitForTimeout(300);
					},
					'admin',
					'obs',
					locked,
				],
				...['desk', 'phone'].flatMap((size) => [
					[
						`${size}-dialog-clips`,
						size,
						4,
						async (page) => {
							await page.getByRole('button', { name: 'Backups…' }).click();
							await page.getByRole('button', { name: 'Slate and clips…' }).click();
							await page.waitForTimeout(300);
							await page.getByRole('button', { name: 'Use as slate' }).first().click();
							await page.waitForTimeout(300);
						},
					],
					[
						`${size}-dialog-selftest`,
						size,
						4,
						async (page) => {
							await page.getByRole('button', { name: 'Self-test' }).click();
							await page.waitForTimeout(300);
						},
						'admin',
						'cut',
						(state) => ({ ...state, selfTest: { running: false, report: selfTestReport } }),
					],
				]),
				[
					'desk-dialog-selftest-runs',
					'desk',
					4,
					async (page) => {
						await page.getByRole('button', { name: 'Self-test' }).click();
						await page.getByRole('button', { name: 'Run the test' }).click();
						await page.waitForTimeout(1500);
					},
				],
				['desk-0', 'desk', 0],
				['phone-0', 'phone', 0],
				[
					'desk-lost',
					'desk',
					8,
					async (page, link) => {
						link.cut();
						await page.waitForTimeout(4200);
					},
				],
				[
					'phone-lost',
					'phone',
					4,
					async (page, link) => {
						link.cut();
						await page.waitForTimeout(2200);
					},
				],
				['desk-viewer', 'desk', 4, undefined, 'viewer'],
				[
					'desk-refused',
					'desk',
					4,
					async (page) => {
						await page.getByRole('button', { name: /^Start: Archive/ }).click();
						await page.keyboard.press('3');
						await page.keyboard.press('Tab');
						await page.keyboard.press('Tab');
						await page.waitForTimeout(300);
					},
				],
			]),
	[
		'desk-dialog-camera',
		'desk',
		4,
		async (page) => {
			await page.getByRole('button', { name: 'Add a camera' }).click();
			await page.getByLabel('Name').fill('Phone of Ömer');
			await page.waitForTimeout(200);
		},
	],
	[
		'desk-dialog-destination',
		'desk',
		4,
		async (page) => {
			await page.getByRole('button', { name: 'Add', exact: true }).click();
		},
	],
	[
		'phone-dialog-destination',
		'phone',
		4,
		async (page) => {
			await page.getByRole('button', { name: 'Add', exact: true }).click();
		},
	],
	[
		'desk-dialog-feed',
		'desk',
		4,
		async (page) => {
			await page
				.getByRole('button', { name: /settings/ })
				.first()
				.click();
			await page.getByRole('button', { name: /Show connection/ }).click();
			await page.waitForTimeout(200);
		},
	],
	[
		'desk-dialog-settings',
		'desk',
		4,
		async (page) => {
			await page.getByRole('button', { name: 'Settings', exact: true }).click();
			await page.waitForTimeout(200);
		},
	],
	[
		'desk-dialog-shortcuts',
		'desk',
		4,
		async (page) => {
			await page.keyboard.press('?');
		},
	],
];
for (const p of plan) if (!only || p[0].match(only)) await shoot(...p);
await browser.close();

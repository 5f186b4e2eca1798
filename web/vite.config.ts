import { readdirSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const server = process.env.OBVAN_URL ?? 'http://127.0.0.1:8080';

// One page per screen: each .html beside this file. The server serves tally.html for
// /tally/cam1; this does the same in the development server.
const pages = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.html'));
const screens: Plugin = {
	name: 'screens',
	configureServer: ({ middlewares }) =>
		void middlewares.use((req, _res, next) => {
			const first = /^\/([a-z]+)(?:\/|$|\?)/.exec(req.url ?? '')?.[1];
			if (first && pages.includes(`${first}.html`)) req.url = `/${first}.html`;
			next();
		}),
};

export default defineConfig({
	plugins: [svelte({ configFile: false }), screens],
	build: {
		target: 'es2022',
		outDir: 'dist',
		emptyOutDir: false, // keeps dist/.gitkeep, so that the Go package compiles in a fresh clone
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		rollupOptions: {
			input: Object.fromEntries(pages.map((name) => [name === 'index.html' ? 'panel' : name.slice(0, -5), name])),
		},
	},
	server: {
		proxy: {
			'/ws': { target: server, ws: true },
			'/api': server,
			'/whep': server,
			'/whip': server,
			'/watch': { target: server, ws: true },
		},
	},
	resolve: process.env.VITEST ? { conditions: ['browser'] } : undefined,
	test: { environment: 'happy-dom', include: ['src/**/*.test.ts'], restoreMocks: true },
});

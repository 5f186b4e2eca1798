import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const server = process.env.OBVAN_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
	plugins: [svelte({ configFile: false })],
	build: {
		target: 'es2022',
		outDir: 'dist',
		emptyOutDir: false, // dist/.gitkeep stays, so that the Go package compiles from a fresh clone
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		rollupOptions: { input: { panel: 'index.html', camera: 'camera.html' } },
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

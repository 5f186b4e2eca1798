// The import rules of src, as a test: a room imports only from rooms on a line above
// its own, so no two rooms need each other. web/README.md says what each room is.
import { describe, expect, test } from 'vitest';

const levels = [
	['api'],
	['playback', 'audio', 'model'],
	['input'],
	['panel/common'],
	['panel/clips', 'panel/monitors'],
	['panel/cameras'],
	['panel/sources', 'panel/program', 'panel/destinations', 'panel/mixer', 'panel/graphics', 'panel/settings'],
	['panel/layout'],
	['panel', 'camera', 'multiview', 'overlay', 'tally'], // the pages
];

const sources = import.meta.glob<string>(['./**/*.ts', './**/*.svelte', '!./rooms.test.ts'], {
	query: '?raw',
	import: 'default',
	eager: true,
});

const roomOf = (file: string) => file.split('/').slice(0, -1).slice(0, 2).join('/');
const levelOf = (room: string) => levels.findIndex((rooms) => rooms.includes(room));

function resolve(from: string, specifier: string): string {
	const parts = [...from.split('/').slice(0, -1), ...specifier.split('/')];
	const path: string[] = [];
	for (const part of parts) {
		if (part === '..') path.pop();
		else if (part !== '.') path.push(part);
	}
	return path.join('/');
}

/** Every import within src, as [file, imported file]. */
const imports = Object.entries(sources).flatMap(([name, text]) => {
	const file = name.slice(2);
	return [...text.matchAll(/\b(?:from|import|mock\(|import\()\s*'(\.[^']+)'/g)]
		.filter(([, specifier]) => !specifier!.endsWith('.css'))
		.map(([, specifier]) => [file, resolve(file, specifier!)] as const);
});
const files = Object.keys(sources).map((name) => name.slice(2));
const withEnding = (path: string) => ['', '.ts'].map((ending) => path + ending).find((p) => files.includes(p));

describe('the rooms of src', () => {
	test('every file is in a room that has its level', () => {
		expect(files.length).toBeGreaterThan(100);
		expect(files.filter((file) => levelOf(roomOf(file)) < 0)).toEqual([]);
	});

	test('every import finds its file', () => {
		expect(imports.filter(([, to]) => !withEnding(to)).map((i) => i.join(' -> '))).toEqual([]);
	});

	test('a room imports only from rooms below it', () => {
		const wrong = imports.filter(([from, to]) => {
			const [a, b] = [roomOf(from), roomOf(to)];
			return a !== b && levelOf(a) <= levelOf(b);
		});
		expect(wrong.map((i) => i.join(' -> '))).toEqual([]);
	});

	test('no two files need each other', () => {
		const needs = new Map<string, string[]>();
		for (const [from, to] of imports) needs.set(from, [...(needs.get(from) ?? []), withEnding(to) ?? to]);
		const circles: string[] = [];
		const seen = new Set<string>();
		const visit = (file: string, path: string[]) => {
			if (path.includes(file)) return void circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
			if (seen.has(file)) return;
			for (const next of needs.get(file) ?? []) visit(next, [...path, file]);
			seen.add(file);
		};
		for (const file of needs.keys()) visit(file, []);
		expect(circles).toEqual([]);
	});
});

// Empties dist except for .gitkeep, so that the Go package compiles in a fresh clone.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';

const dist = new URL('../dist/', import.meta.url);
mkdirSync(dist, { recursive: true });
for (const name of readdirSync(dist)) {
	if (name !== '.gitkeep') rmSync(new URL(name, dist), { recursive: true });
}

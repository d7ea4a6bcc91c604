#!/usr/bin/env node
import { fileURLToPath } from 'node:url';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 9)) {
  console.error(`fovea needs Node 20.9 or later; this is ${process.version}.`);
  process.exit(1);
}
// Built when it is first called, and again when its sources changed.
const { buildCli } = await import('../../scripts/build.mjs');
await buildCli();
const { main } = await import(new URL('../dist/main.js', import.meta.url).href);
process.exitCode = await main(process.argv.slice(2), fileURLToPath(new URL('../..', import.meta.url)));

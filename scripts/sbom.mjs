import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { root } from './lib/paths.mjs';

// npm run sbom [-- --out FILE] [--dev]: a CycloneDX 1.5 list of every package in package-lock.json, from the lock
// file alone, so that the same lock gives the same list on every machine.

const hashNames = { sha512: 'SHA-512', sha384: 'SHA-384', sha256: 'SHA-256', sha1: 'SHA-1' };

/** `sha512-base64` as npm writes it → the digest in hex, as CycloneDX wants it. */
function hashesOf(integrity) {
  return (integrity ?? '')
    .split(/\s+/)
    .filter(Boolean)
    .map((part) => {
      const at = part.indexOf('-');
      return {
        alg: hashNames[part.slice(0, at)],
        content: Buffer.from(part.slice(at + 1), 'base64').toString('hex'),
      };
    })
    .filter((hash) => hash.alg !== undefined);
}

const purlOf = (name, version) =>
  `pkg:npm/${name.startsWith('@') ? `%40${name.slice(1)}` : name}@${encodeURIComponent(version)}`;

/**
 * The bill of materials of a lock file.
 *
 * @param {{ name: string, version: string, packages: Record<string, any> }} lock parsed package-lock.json
 * @param {{ dev?: boolean }} [options] `dev`: what only development needs as well
 */
export function sbomOf(lock, { dev = false } = {}) {
  const components = new Map();
  for (const [path, facts] of Object.entries(lock.packages)) {
    if (!path.includes('node_modules/') || facts.link || (facts.dev && !dev)) continue;
    // An alias lies in a folder of another name than the package has.
    const name = facts.name ?? path.replace(/^.*node_modules\//, '');
    const purl = purlOf(name, facts.version);
    if (components.has(purl)) continue;
    const group = name.startsWith('@') ? name.split('/')[0] : undefined;
    components.set(purl, {
      type: 'library',
      'bom-ref': purl,
      ...(group ? { group } : {}),
      name: group ? name.slice(group.length + 1) : name,
      version: facts.version,
      scope: facts.optional ? 'optional' : 'required',
      hashes: hashesOf(facts.integrity),
      licenses: facts.license ? [{ expression: facts.license }] : [],
      purl,
    });
  }
  const sorted = [...components.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
  const digest = createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
  const serial = [8, 4, 4, 4, 12].map((length, i, all) => {
    const from = all.slice(0, i).reduce((sum, n) => sum + n, 0);
    return digest.slice(from, from + length);
  });
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${serial.join('-')}`,
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': lock.name, name: lock.name, version: lock.version },
    },
    components: sorted,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: { out: { type: 'string' }, dev: { type: 'boolean', default: false } },
  });
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const text = `${JSON.stringify(sbomOf(lock, values), null, 2)}\n`;
  if (values.out) writeFileSync(values.out, text);
  else process.stdout.write(text);
}

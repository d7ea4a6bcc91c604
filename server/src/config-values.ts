import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';
import { deathPoints, failpointNames, isFailpoint } from '#domain/failpoints.ts';

export const text = z.string();

export const oneOf = <const T extends string>(...words: T[]) =>
  text.refine((value): value is T => (words as string[]).includes(value), {
    error: `must be one of ${words.join(', ')}`,
  });

export const wholeNumber = (least: number, most: number) =>
  text
    .regex(/^\d+$/, { error: `must be a whole number from ${least} to ${most}` })
    .transform(Number)
    .refine((n) => n >= least && n <= most, { error: `must be a whole number from ${least} to ${most}` });

export const yesOrNo = text
  .toLowerCase()
  .refine((value) => /^(true|false|1|0|yes|no|on|off)$/.test(value), { error: 'must be true or false' })
  .transform((value) => /^(true|1|yes|on)$/.test(value));

const units: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

export const bytes = (most: number) =>
  text
    .regex(/^\d+ ?([kmg]i?b?|b)?$/i, { error: 'must be a number of bytes such as 134217728 or 128MiB' })
    .transform((value) => {
      const [, digits = '0', unit = ''] = /^(\d+) ?([kmg]?)/i.exec(value) ?? [];
      return Number(digits) * (units[unit.toLowerCase()] ?? 1);
    })
    .refine((n) => n >= 1024 && n <= most, { error: `must lie between 1 KiB and ${most / 2 ** 20} MiB` });

export const url = (...schemes: string[]) => {
  const words = `must be a URL that starts with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`;
  return text.refine((value) => URL.canParse(value) && schemes.includes(new URL(value).protocol), {
    error: words,
  });
};

export const hostName =
  /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

export function readAllowed(value: string, context: z.core.$RefinementCtx<string>): FetchAllow {
  const allow: FetchAllow = { hosts: [], ranges: [] };
  for (const item of listOf(value)) {
    const [address = '', prefix, ...more] = item.replace(/^\[(.*)\]$/, '$1').split('/');
    const family = isIP(address);
    const bits = family === 6 ? 128 : 32;
    if (family && more.length === 0 && (prefix === undefined || (/^\d+$/.test(prefix) && +prefix <= bits))) {
      allow.ranges.push(`${address}/${prefix ?? bits}`);
    } else if (!family && prefix === undefined && hostName.test(address) && !/^[\d.]+$/.test(address)) {
      allow.hosts.push(address.toLowerCase().replace(/\.$/, ''));
    } else {
      context.addIssue({
        code: 'custom',
        message: `has the item "${item}", which is neither a host name nor an address range such as 10.0.0.0/8`,
      });
    }
  }
  return allow;
}

const listOf = (value: string) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);

/** Hosts and networks that user-given URLs may reach although they are private. */
export interface FetchAllow {
  /** Lower-case host names, matched whole. */
  hosts: string[];
  /** Address ranges in CIDR form, e.g. `10.0.0.0/8`, `fd00::/8`. */
  ranges: string[];
}

export const roleNames = ['api', 'worker'] as const;

/** What a process does; one process plays all roles unless told otherwise. */
export type Role = (typeof roleNames)[number];

export function readRoles(value: string, context: z.core.$RefinementCtx<string>): Role[] {
  const wanted = listOf(value);
  const strange = wanted.find((name) => !(roleNames as readonly string[]).includes(name));
  if (strange !== undefined || wanted.length === 0) {
    const words = strange === undefined ? 'names no role' : `has the unknown role "${strange}"`;
    context.addIssue({ code: 'custom', message: `${words}; roles are ${roleNames.join(', ')}` });
  }
  return roleNames.filter((name) => wanted.includes(name));
}

export function readFailpoints(value: string, context: z.core.$RefinementCtx<string>): string[] {
  const wanted = listOf(value);
  const strange = wanted.find((word) => !isFailpoint(word));
  if (strange !== undefined) {
    const message = `has the unknown failpoint "${strange}"; there are ${[...failpointNames, ...deathPoints].join(', ')}`;
    context.addIssue({ code: 'custom', message });
  }
  return wanted;
}

/** At most so many requests per token and window. */
export interface RateLimit {
  requests: number;
  windowMs: number;
}

const windowsMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 };

export const rateLimit = text
  .regex(/^(off|[1-9]\d{0,8}\/[smh])$/, {
    error: 'must be off, or a number per second, minute or hour such as 15/s',
  })
  .transform((value): RateLimit | undefined => {
    const [requests = '', unit = ''] = value.split('/');
    return value === 'off' ? undefined : { requests: Number(requests), windowMs: windowsMs[unit] ?? 1000 };
  });

export const masterKey = text.transform((value, context) => {
  const key = /^[0-9a-f]{64}$/i.test(value) ? Buffer.from(value, 'hex') : Buffer.from(value, 'base64');
  if (key.length !== 32) {
    context.addIssue({ code: 'custom', message: 'must be 32 bytes, as 64 hex digits or as base64' });
  }
  return key;
});

export const pem = text.transform((value, context) => {
  const words = value.includes('-----BEGIN') ? value.replaceAll('\\n', '\n') : readText(value);
  if (words === undefined) {
    context.addIssue({ code: 'custom', message: `names the file ${value}, which cannot be read` });
  } else if (!words.includes('-----BEGIN')) {
    context.addIssue({ code: 'custom', message: 'must be PEM text or the path of a PEM file' });
  }
  return words ?? '';
});

/** A file's text, or nothing where it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export const megapixels = 1_000_000;

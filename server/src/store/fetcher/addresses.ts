import ipaddr from 'ipaddr.js';

/** Which addresses may be fetched from: public ones, and what the operator allowed by name or range. */
export type AddressRules = {
  hosts: ReadonlySet<string>;
  ranges: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][];
};

/**
 * Reads the operator's list of host names, addresses and CIDR ranges.
 *
 * @throws TypeError naming the entry that is none of these
 */
export function readAddressRules(allow: readonly string[]): AddressRules {
  const hosts = new Set<string>();
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const entry of allow.map((text) => text.trim().toLowerCase())) {
    if (ipaddr.isValidCIDR(entry)) ranges.push(ipaddr.parseCIDR(entry));
    else if (ipaddr.IPv4.isValidFourPartDecimal(entry)) ranges.push([ipaddr.parse(entry), 32]);
    else if (ipaddr.IPv6.isValid(bare(entry))) ranges.push([ipaddr.parse(bare(entry)), 128]);
    else if (/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?$/.test(entry) && !/^[\d.]+$/.test(entry)) hosts.add(entry);
    else throw new TypeError(`${JSON.stringify(entry)} is neither a host name, an address nor a CIDR range.`);
  }
  return { hosts, ranges };
}

/** True when a connection to `address`, reached under the name `host`, may be made. */
export function mayReach(rules: AddressRules, host: string, address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const [plain, raw] = [plainOf(ipaddr.parse(address)), ipaddr.parse(address)];
  if (rules.hosts.has(hostName(host))) return true;
  if (rules.ranges.some(([base, bits]) => matches(plain, base, bits) || matches(raw, base, bits)))
    return true;
  return isPublic(plain);
}

/** The host of a URL without brackets and without the dot that ends a complete name. */
export function hostName(host: string): string {
  return bare(host.toLowerCase()).replace(/\.$/, '');
}

const globalUnicast = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number];
const translated = ipaddr.parseCIDR('64:ff9b::/96') as [ipaddr.IPv6, number];

/**
 * Public means: routed in the whole internet. Everything else is refused, also forms that only some networks
 * would deliver somewhere private (6to4, Teredo, IPv4-compatible, benchmarking and documentation ranges).
 */
function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || matches(address, ...globalUnicast);
}

/** The IPv4 address inside a mapped or NAT64 address (RFC 6052), which is where a packet to it ends up. */
function plainOf(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (!(address instanceof ipaddr.IPv6)) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  if (!matches(address, ...translated)) return address;
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}

function matches(address: ipaddr.IPv4 | ipaddr.IPv6, base: ipaddr.IPv4 | ipaddr.IPv6, bits: number): boolean {
  return address.kind() === base.kind() && address.match(base as never, bits);
}

function bare(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

import { BucketFault } from './bucket.ts';

// Listings of S3 and Azure are flat: a repeated element with plain ones inside. These few lines read them; a parser of
// whole XML would bring entities, namespaces and their attacks along.

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function plain(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    const code = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : undefined;
    if (code === undefined) return named[name] ?? whole;
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** @throws BucketFault unless the text is a listing, from its first to its last element; half of one would pass for the whole */
export function checkListing(xml: string, root: string, whose: string): void {
  if (!xml.includes(`<${root}`)) throw new BucketFault(`The answer to the listing is not one of ${whose}.`);
  if (!xml.includes(`</${root}>`) && !new RegExp(`<${root}[^>]*/>`).test(xml))
    throw new BucketFault('The answer to the listing breaks off.');
}

/** The inner text of each element of this name, as it stands. */
export function elementsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g'))].map(
    ([, inner = '']) => inner,
  );
}

/** The text of the first element of this name, entities resolved; '' where there is none. */
export function textOf(xml: string, name: string): string {
  return plain(elementsOf(xml, name)[0] ?? '');
}

/** Numbers of a text; raised with every change of how they are made, as heads are trained on them. */
export const textFeaturesId = 'text-ngrams-1';
export const textFeatureDims = 2048;

const lettersMax = 20_000;

/**
 * Counts words, pairs of words, and groups of three to five letters of a text, each hashed into one of 2,048 places
 * with a sign, damped by the logarithm, and brought to length one. Texts with the same words are near; texts that
 * mean the same in other words are not.
 *
 * Source: Weinberger et al. 2009 (feature hashing).
 */
export function textFeatures(text: string): Float32Array {
  const counts = new Map<string, number>();
  const count = (gram: string) => counts.set(gram, (counts.get(gram) ?? 0) + 1);
  const words =
    text
      .slice(0, lettersMax)
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  words.forEach((word, index) => {
    count(`w ${word}`);
    if (index > 0) count(`p ${words[index - 1]} ${word}`);
    const bounded = `<${word}>`;
    for (let size = 3; size <= 5; size += 1)
      for (let at = 0; at + size <= bounded.length; at += 1) count(`c ${bounded.slice(at, at + size)}`);
  });
  const features = new Float32Array(textFeatureDims);
  for (const [gram, n] of counts) {
    const hash = hashOf(gram);
    // Groups of letters are many; a word counts for as much as several of them.
    const weight = (1 + Math.log(n)) * (gram.startsWith('c') ? 0.35 : 1);
    const place = hash % textFeatureDims;
    features[place] = (features[place] as number) + (hash >>> 31 === 0 ? weight : -weight);
  }
  const length = Math.hypot(...features);
  return length > 0 ? features.map((value) => value / length) : features;
}

/** FNV-1a over UTF-16, finished with a mixer. */
function hashOf(gram: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < gram.length; at += 1) hash = Math.imul(hash ^ gram.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** Whether two texts are the same but for case and white space. */
export const isSameText = (ours: string, theirs: string): boolean => plain(ours) === plain(theirs);

const plain = (text: string): string => text.toLowerCase().trim().replace(/\s+/g, ' ');

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** F1 of the words of both texts, each as often as it comes; 1 for two texts without words. */
export function wordF1(ours: string, theirs: string): number {
  const [said, meant] = [wordsOf(ours), wordsOf(theirs)];
  if (said.length === 0 && meant.length === 0) return 1;
  const left = new Map<string, number>();
  for (const word of meant) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of said) {
    const n = left.get(word) ?? 0;
    if (n === 0) continue;
    left.set(word, n - 1);
    shared += 1;
  }
  return (2 * shared) / (said.length + meant.length);
}

const startedAt = Date.now();
const beatMs = process.stdout.isTTY ? 1000 : 10_000;

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** Seconds since the command started, for its closing line. */
export const elapsed = () => seconds(Date.now() - startedAt);

/**
 * Runs one named step and shows that it is alive: a running clock on a terminal, a line every ten seconds
 * elsewhere.
 *
 * @template T
 * @param {string} name what is being done, in a few words
 * @param {(note: (text: string) => void) => Promise<T>} work `note` replaces the words behind the clock
 * @returns {Promise<T>} what the work returned
 */
export async function step(name, work) {
  const began = Date.now();
  let aside = '';
  const show = (mark, ended = false) => {
    const line = `  ${mark} ${name}${aside ? ` (${aside})` : ''}  ${seconds(Date.now() - began)}`;
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K${line}${ended ? '\n' : ''}`);
    else process.stdout.write(`${line}\n`);
  };
  if (process.stdout.isTTY) show('…');
  const clock = setInterval(() => show('…'), beatMs);
  try {
    const result = await work((text) => {
      aside = text;
    });
    show('✓', true);
    return result;
  } catch (error) {
    show('✗', true);
    throw error;
  } finally {
    clearInterval(clock);
  }
}

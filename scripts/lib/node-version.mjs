/**
 * Ends the process with one line when Node is older than asked for.
 *
 * @param {[number, number]} oldest major and minor
 * @param {string} what the command that needs it
 */
export function requireNode([major, minor], what) {
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number);
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return;
  console.error(`${what} needs Node ${major}.${minor} or newer; this is Node ${process.versions.node}.`);
  process.exit(1);
}

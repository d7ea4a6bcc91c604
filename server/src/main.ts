import { setFlagsFromString } from 'node:v8';
import { type Config, ConfigError, loadConfig, silenceLibraries } from '#config.ts';
import { removeConnection, writeConnection } from '#connection-file.ts';
import { type Running, start } from '#start.ts';
import { FolderInUse, MigrationRefused } from '#store/postgres/index.ts';

export async function main(): Promise<void> {
  silenceLibraries();
  // Of a heap that was at rest V8 collects after a third more, pixels and messages outside of it included: 40 MB were
  // walked for every ten pictures. See docs/decisions/0051.
  setFlagsFromString('--heap-growing-percent=100');
  // What once outlived young collections V8 goes on to make among the old, where each request's messages wait for a whole
  // collection and keep alive what they point to.
  setFlagsFromString('--no-allocation-site-pretenuring');
  let config: Config;
  try {
    config = loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const line of error.lines) console.error(line);
    process.exitCode = 1;
    return;
  }
  const server = await start(config).catch(explain);
  const { userId, pat } = server.first;
  // Programs on this machine reach the port here, whatever the public URL of a proxy in front says.
  const host = ['0.0.0.0', '::'].includes(config.host) ? 'localhost' : config.host;
  const url = `${config.tls ? 'https' : 'http'}://${host}:${server.port}`;
  await writeConnection(config.dataDir, { url, userId, pat: config.secretKey ? undefined : pat });
  console.log(welcomeText(server));
  const end = (code: number) => {
    if (server.hangs()) process.kill(process.pid, 'SIGKILL');
    process.exit(code);
  };
  let isStopping = false;
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    // What is waited for may hold nothing of the event loop: without this the process could end in the middle, or, where a
    // network hangs, wait for its thread for ever.
    setInterval(() => {}, 1_000);
    try {
      await removeConnection(config.dataDir);
      await server.stop();
      end(0);
    } catch (error) {
      console.error('Something did not stop cleanly:', error);
      end(1);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop());
}

/** Troubles that the person at the terminal can mend are one line; anything else is ours, and shown whole. */
function explain(error: unknown): never {
  const { code, port } = error as { code?: string; port?: number };
  const known =
    error instanceof FolderInUse ||
    error instanceof MigrationRefused ||
    (error as Error)?.message?.includes('DATABASE_URL');
  if (code === 'EADDRINUSE')
    console.error(`FOVEA_PORT: port ${port} is in use; stop the other program or choose another port.`);
  else if (code === 'EACCES' && port !== undefined)
    console.error(`FOVEA_PORT: port ${port} is not allowed to this user; choose one above 1023.`);
  else console.error(known ? (error as Error).message : error);
  process.exit(1);
}

/** What a newcomer needs first. The token is shown at the start that made it, and never again. */
function welcomeText({ publicUrl: url, first, welcomeCode }: Running): string {
  const token = first.isNew ? first.pat : '(shown at the first start; FOVEA_PAT sets a new one)';
  return `
Fovea is ready.

  Web page   ${url}/${welcomeCode && `start#${welcomeCode}`}
  User id    ${first.userId}
  Token      ${token}

With the official Node client (npm install clarifai-nodejs):

  import { Model } from 'clarifai-nodejs';
  const model = new Model({ modelId: 'general-image-detection', authConfig: { base: '${url}', userId: 'clarifai', appId: 'main', pat: TOKEN } });
  console.log((await model.predictByFilepath({ filepath: 'photo.jpg', inputType: 'image' }))[0].data.regionsList);
`;
}

await main();

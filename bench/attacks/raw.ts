import http2 from 'node:http2';
import net from 'node:net';

const gone = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Sends bytes over a socket of its own and reads until the end, silence, or the time is over. */
export function rawTalk(
  host: string,
  bytes: Buffer | string,
  waitMs = 1_500,
): Promise<{ text: string; closed: boolean }> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(`http://${host}`);
    const socket = net.connect(Number(port), hostname);
    const parts: Buffer[] = [];
    let closed = false;
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text: Buffer.concat(parts).toString('latin1'), closed });
    };
    const timer = setTimeout(finish, waitMs);
    socket.on('data', (part) => parts.push(part));
    socket.on('close', () => {
      closed = true;
      finish();
    });
    socket.on('error', () => {});
    socket.write(bytes);
  });
}

/** One gRPC request of raw frames, with any headers: what libraries would not let one say. */
export function rawGrpc(
  url: string,
  path: string,
  headers: http2.OutgoingHttpHeaders,
  body: Buffer,
  waitMs = 20_000,
): Promise<{ status: string; message: string; bytes: number }> {
  return new Promise((resolve) => {
    const session = http2.connect(url);
    let result = { status: 'none', message: '', bytes: 0 };
    const finish = () => {
      clearTimeout(timer);
      session.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => {
      result = { ...result, status: 'timeout' };
      finish();
    }, waitMs);
    session.on('error', (error) => {
      result = {
        ...result,
        status: result.status === 'none' ? 'closed' : result.status,
        message: gone(error),
      };
      finish();
    });
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    const read = (answered: http2.IncomingHttpHeaders) => {
      if (answered['grpc-status'] !== undefined)
        result = {
          ...result,
          status: String(answered['grpc-status']),
          message: String(answered['grpc-message'] ?? ''),
        };
      else if (Number(answered[':status'] ?? 200) !== 200)
        result = { ...result, status: `http ${answered[':status']}` };
    };
    stream.on('response', read);
    stream.on('trailers', read);
    stream.on('data', (part: Buffer) => {
      result = { ...result, bytes: result.bytes + part.length };
    });
    stream.on('error', (error) => {
      result = { ...result, message: gone(error) };
    });
    stream.on('close', finish);
    stream.end(body);
  });
}

export function frameOf(body: Buffer, flag = 0, length = body.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length >>> 0, 1);
  return Buffer.concat([head, body]);
}

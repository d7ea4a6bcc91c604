import net from 'node:net';
import tls from 'node:tls';

/** First bytes of the HTTP/2 connection preface (RFC 9113 section 3.4): no HTTP/1.1 method is called PRI. */
const preface = Buffer.from('PRI');
const sniffTimeoutMs = 20_000;

/**
 * One TCP port for everything: HTTP/2 connections go to `http2`, all others to `http1`.
 * Cleartext is told apart by the first bytes, TLS by ALPN (and by the bytes again where a client offers none).
 */
export function openPort(parts: {
  tls?: { cert: Buffer; key: Buffer } | undefined;
  onHttp2: (socket: net.Socket) => void;
  onHttp1: (socket: net.Socket) => void;
}): net.Server {
  const sniff = (socket: net.Socket) => {
    let held: Buffer = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.setTimeout(sniffTimeoutMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    const read = () => {
      const chunk = socket.read() as Buffer | null;
      if (!chunk) return;
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const isPreface = held.subarray(0, 3).equals(preface.subarray(0, Math.min(3, held.length)));
      if (isPreface && held.length < preface.length) return;
      socket.removeListener('readable', read);
      socket.setTimeout(0);
      socket.unshift(held);
      if (isPreface) parts.onHttp2(socket);
      else parts.onHttp1(socket);
    };
    socket.on('readable', read);
  };
  if (!parts.tls) return net.createServer({ pauseOnConnect: false }, sniff);
  return tls.createServer({ ...parts.tls, ALPNProtocols: ['h2', 'http/1.1'] }, sniff);
}

import type { Input } from '@fovea/contract/rest';
import { useQuery } from '@tanstack/react-query';
import { hostedPath, nameOf } from '../api/media.ts';

/** How a text begins: what the server says of it, or else, where wanted, its first bytes from where it is hosted. */
function useTextStart(input: Input, bytes: number, isWanted: boolean): string {
  const { raw, hosted } = input.data?.text ?? {};
  const path = raw ? undefined : hostedPath(hosted, 'orig');
  const read = useQuery({
    queryKey: ['text', path, bytes],
    queryFn: ({ signal }) => readStart(path ?? '', bytes, signal),
    enabled: isWanted && path !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return raw || read.data || nameOf(input);
}

/** On a tile, which has the name of the input for those who do not see it: no words of its own beside that. */
export function TextTile({ input, isStill }: { input: Input; isStill: boolean }) {
  return <span className="grid-text" data-text={useTextStart(input, 600, isStill)} aria-hidden="true" />;
}

/** As much of it as somebody reads before opening it. */
export function TextPreview({ input }: { input: Input }) {
  return (
    <p className="preview-text" dir="auto">
      {useTextStart(input, 20_000, true)}
    </p>
  );
}

async function readStart(path: string, bytes: number, signal: AbortSignal): Promise<string> {
  const reply = await fetch(path, { headers: { range: `bytes=0-${bytes - 1}` }, signal });
  if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
  // As a stream: a letter that the end cuts in two is left out.
  return new TextDecoder().decode(await reply.arrayBuffer(), { stream: true });
}

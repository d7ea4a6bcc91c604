import { framesOf, sendFrame } from './frames.ts';
import type { LargeReply, LargeRequest } from './large-pictures.ts';
import { openPicture, pixelsOf } from './pixels.ts';

/** Decodes large pictures in a process of its own, one after another; ends with whoever started it. */
for await (const { head, body } of framesOf<LargeRequest>(process.stdin)) {
  const { edge, fit, pixelsMax, secondsMax } = head;
  try {
    const { width, height, pixels } = await pixelsOf(openPicture(body, pixelsMax, secondsMax), edge, fit);
    sendFrame(process.stdout, { width, height } satisfies LargeReply, pixels);
  } catch (error) {
    const trouble = error instanceof Error ? error.message : String(error);
    sendFrame(process.stdout, { trouble } satisfies LargeReply, Buffer.alloc(0));
  }
}

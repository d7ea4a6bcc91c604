import { Fault } from '#domain/fault.ts';

/** What can go wrong between bytes and numbers, with the contract's code for each. */
export const engineFault = {
  unsupportedFormat: (found: string) =>
    new Fault(
      'bad_request',
      30101,
      `Input image format unsupported: ${found}. Send JPEG, PNG, WEBP, GIF, BMP, TIFF or AVIF.`,
    ),

  tooManyPixels: (pixelsMax: number) =>
    new Fault('too_large', 30105, `The image has more than ${Math.floor(pixelsMax / 1e6)} megapixels.`),

  tooManyBytes: (bytes: number, bytesMax: number) =>
    new Fault('too_large', 30105, `The image has ${bytes} bytes; at most ${bytesMax} are accepted.`),

  undecodable: (reason: string, cause?: unknown) =>
    new Fault('bad_request', 30300, `The image could not be decoded: ${reason}.`, { cause }),

  noDecoder: () =>
    new Fault('unavailable', 21351, 'Large pictures cannot be decoded just now. Please retry shortly.'),

  busy: (waiting: number) =>
    new Fault(
      'busy',
      21351,
      `The models are busy with ${waiting} waiting predictions. Please retry shortly.`,
    ),

  noSuchModel: (id: string) => new Fault('not_found', 21200, `There is no built-in model ${id}.`),

  notEnabled: (id: string) =>
    new Fault('forbidden', 21353, `The model ${id} is switched off here; the operator can turn it on.`),

  noEmbedding: (id: string) =>
    new Fault('bad_request', 21202, `The model ${id} does not turn a whole image into an embedding.`),

  noPicture: (name: string) => new Fault('bad_request', 21202, `The model ${name} takes no pictures.`),

  noTexts: (name: string) => new Fault('bad_request', 21202, `The model ${name} takes no texts.`),

  /** Of a model that somebody brought: what went wrong in its own process is told, because its owner can mend it. */
  packageFailed: (name: string, words: string) =>
    new Fault('internal', 21313, `The model ${name} failed on this input: ${words}.`, {
      log: `package ${name}: ${words}`,
    }),

  notPrepared: (id: string, cause: unknown) =>
    new Fault('internal', 21350, `The model ${id} could not be made ready.`, { log: text(cause), cause }),

  predictionFailed: (id: string, cause: unknown) =>
    new Fault('internal', 21313, `The model ${id} failed on this input.`, { log: text(cause), cause }),

  cancelled: () => new Fault('unavailable', 21313, 'The prediction was cancelled.'),

  closed: () => new Fault('unavailable', 21351, 'The server is shutting down.'),
} as const;

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

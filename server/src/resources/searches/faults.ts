import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

/** Results further down than this are not served; clients match on the words (SEMANTICS 1.6). */
export const windowMax = 10_000;

const invalid = (details: string) => new Fault('bad_request', StatusCode.SEARCH_INVALID_REQUEST, details);

export const searchFault = {
  invalid,
  tooMany: (field: string, sent: number, most: number) =>
    invalid(`${field}: ${sent} are asked for; at most ${most}.`),
  windowTooLarge: () =>
    invalid(
      `page * perPage cannot exceed ${windowMax}; narrow the search with filters instead of paging on.`,
    ),
  notIndexed: (inputId: string, annotationId: string) =>
    new Fault(
      'bad_request',
      StatusCode.SEARCH_BY_NOT_FULLY_INDEXED_INPUT,
      annotationId
        ? `The annotation '${annotationId}' of the input '${inputId}' is not indexed (yet), so nothing can be ranked by it; only pictures and boxes and polygons in them are.`
        : `The input '${inputId}' is not indexed (yet), so nothing can be ranked by it; wait until its status is 30000.`,
    ),
  noExamples: (concepts: readonly string[]) =>
    new Fault(
      'bad_request',
      StatusCode.SEARCH_BY_NOT_FULLY_INDEXED_INPUT,
      `No indexed picture is labelled '${concepts.join("' or '")}', so there is no average to rank by.`,
    ),
  tooSlow: () =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_STATEMENT_TIMEOUT,
      'The search took too long and was stopped. Narrow it by filters that few inputs meet, ask for fewer hits or ranks at once, or have FOVEA_SEARCH_SECONDS_MAX raised.',
    ),
  tooBusy: (waiting: number) =>
    new Fault(
      'throttled',
      StatusCode.CONN_THROTTLED,
      `${waiting} searches of this app wait already; send fewer at a time.`,
    ),
  noWords: () => invalid('ranks[].annotation.data.text.raw holds no word to look for.'),
  nothingIndexes: () =>
    invalid(
      "The base workflow of this app makes no embeddings, so it cannot be searched by picture. Patch the app's default_workflow to General of clarifai/main and reindex.",
    ),
  wrongDimensions: (sent: number, wanted: number) =>
    invalid(
      `ranks[].annotation.data.embeddings[].vector has ${sent} numbers; the embedder of this app makes ${wanted}.`,
    ),
  badVector: () =>
    invalid('ranks[].annotation.data.embeddings[].vector holds NaN, infinities or only zeros.'),
  unknownEmbedder: (id: string) =>
    invalid(`No embeddings of a model version '${id}' are stored in this app.`),
  mixedEmbedders: () => invalid('All similarity ranks of one search must use the same embedder.'),
  unreachable: (url: string, why: string) =>
    invalid(`ranks[].annotation.data.image.url '${url}' could not be fetched: ${why}`),
  textNeedsModel: () =>
    invalid(
      'Ranking pictures by text needs a model that puts text and pictures into one space, and none is installed on this server: `fovea models pull` brings one. Without it, data.text.raw ranks by the words of texts, and this app holds none.',
    ),
  future: () => invalid('as_of lies in the future.'),
  missing: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no saved search '${id}' in this app.`),
  missingMetrics: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `There are no annotation search metrics '${id}' in this app.`,
    ),
  duplicateMetrics: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_DUPLICATE_KEY,
      `duplicate: annotation search metrics with the id '${id}' exist already.`,
    ),
  duplicate: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_DUPLICATE_KEY,
      `duplicate: a saved search with the id '${id}' exists already.`,
    ),
} as const;

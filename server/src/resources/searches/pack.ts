import { create, toBinary } from '@bufbuild/protobuf';
import {
  AnnotationSchema,
  type FoveaExplain,
  type FoveaWhy,
  FoveaWhySchema,
  type MultiSearchResponse,
  MultiSearchResponseSchema,
  PackedReply,
  WireWriter,
} from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { grouped } from '#domain/grouped.ts';
import type { ShownAnnotation } from '../annotations/index.ts';
import type { Found, SearchParts } from './parts.ts';
import type { HitKind } from './query.ts';

/** Field numbers of MultiSearchResponse and Hit (service.proto, resources.proto, and our overlay of the latter). */
const inReply = { id: 2, hits: 3 } as const;
const inHit = { score: 1, input: 2, annotation: 3, userId: 4, appId: 5, foveaWhy: 50001 } as const;

/** About what a hit takes. */
const bytesPerHit = 400;

/** The hits of a reply, encoded; their inputs are put together from stored bytes (docs/decisions/0041). */
export async function packHits(
  parts: SearchParts,
  grant: AppGrant,
  kind: HitKind,
  found: readonly Found[],
  whys?: readonly FoveaWhy[],
): Promise<Uint8Array> {
  const writer = new WireWriter(bytesPerHit * (1 + found.length));
  const inputKeys = [...new Set(found.map((hit) => hit.inputKey))];
  const known = new Map(found.flatMap(({ inputKey, inputRow }) => (inputRow ? [[inputKey, inputRow]] : [])));
  const [inputs, annotationOf] = await Promise.all([
    parts.readInputs(grant, inputKeys, writer, known),
    showAnnotationsOf(
      parts,
      grant,
      found.filter((hit) => kind === 'annotation' || isPart(hit)),
    ),
  ]);
  for (const [n, hit] of found.entries()) {
    const annotation = annotationOf(hit);
    // Deleted while we searched: it is gone for the reader at once.
    if (!inputs.has(hit.inputKey) || (kind === 'annotation' && !annotation)) continue;
    const opened = writer.open(inReply.hits);
    writer.float(inHit.score, hit.score);
    inputs.write(inHit.input, hit.inputKey);
    if (annotation)
      writer.message(
        inHit.annotation,
        toBinary(AnnotationSchema, create(AnnotationSchema, annotation as never)),
      );
    writer.text(inHit.userId, grant.userId);
    writer.text(inHit.appId, grant.appId);
    const why = whys?.[n];
    if (why) writer.message(inHit.foveaWhy, toBinary(FoveaWhySchema, why));
    writer.close(opened);
  }
  return writer.taken();
}

/** What a search answers beside its hits. */
export interface SearchReply {
  readonly id: string;
  /** Encoded, as `packHits` makes them. */
  readonly hits?: Uint8Array;
  readonly hitCounts?: readonly { estimatedTotal: bigint }[];
  readonly foveaExplain?: readonly FoveaExplain[];
  readonly query?: MultiSearchResponse['query'];
  readonly searches?: MultiSearchResponse['searches'];
}

export function packReply({ id, hits = new Uint8Array(), ...others }: SearchReply): PackedReply {
  const rest = toBinary(MultiSearchResponseSchema, create(MultiSearchResponseSchema, others as never));
  const writer = new WireWriter(64 + hits.length + rest.length);
  writer.text(inReply.id, id);
  writer.raw(hits);
  writer.raw(rest);
  return new PackedReply(writer.taken());
}

/** The best match was an annotation of its own: of an input as a whole, the input tells everything. */
const isPart = ({ annotationId, inputLevel }: Found) => annotationId !== undefined && inputLevel === false;

/** Annotations of hits, each as it was at the moment that was searched. */
async function showAnnotationsOf(parts: SearchParts, grant: AppGrant, found: readonly Found[]) {
  const nameOf = (inputId: string, id: string, asOf: Date | undefined) =>
    `${inputId}\0${id}\0${asOf?.getTime() ?? ''}`;
  const shown = new Map<string, ShownAnnotation>();
  for (const [time, hits] of grouped(found, ({ asOf }) => asOf?.getTime())) {
    const asOf = time === undefined ? undefined : new Date(time);
    const keys = hits.flatMap(({ annotationKey }) => annotationKey ?? []);
    for (const one of await parts.showAnnotations(parts.reads, grant, keys, asOf))
      shown.set(nameOf(one.inputId, one.id, asOf), one);
  }
  return ({ inputId, annotationId, asOf }: Found) => shown.get(nameOf(inputId, annotationId ?? '', asOf));
}

import { mergeFields, WireReader, type WireWriter } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { RawReads } from '#store/postgres/index.ts';
import { type ConceptNames, conceptNames } from '../concepts/index.ts';

/** Part of some bytes. */
export interface Span {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Field numbers of the contract's Data and Concept. */
const inData = { concepts: 3, metadata: 5, geo: 6 } as const;
const inConcept = { id: 1, name: 2, appId: 6 } as const;
const setInConcept = [inConcept.name, inConcept.appId];

/** The fields of Data that input-level annotations say. */
export const labelFields: readonly number[] = Object.values(inData);

const [inside, concept] = [new WireReader(), new WireReader()];
const noBytes = new Uint8Array(0);
const noNames: ConceptNames = new Map();

/**
 * What the app calls the concepts that packed input-level annotations mention, all together.
 *
 * @param revision of the app's concepts, read together with the annotations
 */
export async function labelNames(
  db: RawReads,
  grant: AppGrant,
  revision: number,
  labels: readonly Span[],
): Promise<ConceptNames> {
  const ids = new Set<string>();
  for (const { bytes, start, end } of labels) {
    inside.read(bytes, start, end);
    while (inside.next()) {
      if (inside.field !== inData.concepts) continue;
      concept.read(bytes, inside.start, inside.end);
      while (concept.next())
        if (concept.field === inConcept.id) ids.add(textOf(bytes, concept.start, concept.end));
    }
  }
  return ids.size === 0 ? noNames : conceptNames(db, grant, revision, ids);
}

const textOf = (bytes: Buffer, start: number, end: number): string => bytes.toString('utf8', start, end);

/** Writes concepts (named), metadata and geo of packed input-level annotations into a Data. */
export function openLabelWriter(writer: WireWriter, grant: AppGrant, names: ConceptNames) {
  const appId = Buffer.from(grant.appId);
  let name: Uint8Array = noBytes;
  let app: Uint8Array = appId;
  const setField = (field: number) => writer.part(field, field === inConcept.name ? name : app);

  /** A stored concept under its name of today; its stored name, or its id, where the app does not know it. */
  function writeConcept(bytes: Buffer, start: number, end: number): void {
    let id = '';
    let stored: Uint8Array = noBytes;
    app = appId;
    concept.read(bytes, start, end);
    while (concept.next()) {
      if (concept.field === inConcept.id) id = textOf(bytes, concept.start, concept.end);
      else if (concept.field === inConcept.name) stored = bytes.subarray(concept.start, concept.end);
      else if (concept.field === inConcept.appId) app = bytes.subarray(concept.start, concept.end);
    }
    name = names.get(id) ?? (stored.length > 0 ? stored : Buffer.from(id));
    const opened = writer.open(inData.concepts);
    mergeFields(writer, concept.read(bytes, start, end), setInConcept, setField);
    writer.close(opened);
  }

  return (field: number, { bytes, start, end }: Span): void => {
    inside.read(bytes, start, end);
    while (inside.next()) {
      if (inside.field !== field) continue;
      if (field === inData.concepts) writeConcept(bytes, inside.start, inside.end);
      else writer.raw(bytes, inside.tagAt, inside.end);
    }
  };
}

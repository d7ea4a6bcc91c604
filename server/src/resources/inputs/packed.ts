import { create, toBinary } from '@bufbuild/protobuf';
import { mergeFields, type StatusCode, StatusSchema, WireReader, WireWriter } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { RawColumns, type RawRow } from '#store/postgres/index.ts';
import { labelFields, openLabelWriter, type Span } from '../annotations/index.ts';
import { status } from '../common/status.ts';
import type { ConceptNames } from '../concepts/index.ts';
import { type InputKind, inputKinds, inputStatus, renderedSizes } from './input.ts';
import { mediaPath, ownerPath } from './media-url.ts';
import type { InputRow } from './rows.ts';

// The contract's representation of an input, put together out of what is stored. What is known of its medium, its
// settings and its label lie there as encoded messages; they are copied, and the rest is written between them.

/** Field numbers of Input, Data, the four media and HostedURL (resources.proto). */
const inInput = { id: 1, data: 2, createdAt: 4, modifiedAt: 5, status: 6, settings: 8 } as const;
const inHosted = { prefix: 1, suffix: 2, sizes: 3, crossorigin: 4 } as const;

interface MediumFields {
  /** In Data. */
  readonly field: number;
  /** In the medium. */
  readonly url: number;
  readonly allowDuplicateUrl: number;
  readonly thumbnailUrl?: number;
  readonly hosted: number;
  readonly hostedThumbnail?: number;
}

const media: Record<InputKind, MediumFields> = {
  image: { field: 1, url: 1, allowDuplicateUrl: 4, hosted: 5 },
  video: { field: 2, url: 1, allowDuplicateUrl: 4, thumbnailUrl: 5, hosted: 6, hostedThumbnail: 8 },
  text: { field: 13, url: 2, allowDuplicateUrl: 3, hosted: 4 },
  audio: { field: 14, url: 1, allowDuplicateUrl: 4, hosted: 5 },
};

const ascending = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

/** What is written into Data and into the medium, whatever was stored there, by kind. */
const ours = Object.fromEntries(
  inputKinds.map((kind) => {
    const { field, ...inMedium } = media[kind];
    return [
      kind,
      {
        inData: ascending([field]),
        withLabel: ascending([field, ...labelFields]),
        inMedium: ascending(Object.values(inMedium)),
      },
    ];
  }),
) as Record<InputKind, Record<'inData' | 'withLabel' | 'inMedium', number[]>>;

const sizes = (names: readonly string[]) => names.map((name) => Buffer.from(name));
const original = sizes(['orig']);
const hostedSizes = Object.fromEntries(
  inputKinds.map((kind) => [kind, sizes(['orig', ...renderedSizes[kind]])]),
) as Record<InputKind, Buffer[]>;
const thumbnailSizes = sizes(['thumbnail', 'large', 'small', 'tiny']);
const crossorigin = Buffer.from('use-credentials');
const kindOfLetter = new Map(inputKinds.map((kind) => [kind.charCodeAt(0), kind]));
const noBytes = Buffer.alloc(0);

/** Encoded statuses without details. */
const statuses = new Map<number, Buffer>();

function statusBytes(code: number): Buffer {
  const known = statuses.get(code);
  if (known) return known;
  const made = Buffer.from(toBinary(StatusSchema, create(StatusSchema, status(code as StatusCode))));
  statuses.set(code, made);
  return made;
}

const inStatus = { details: 3 } as const;

/** The same span with other ends, so that a page of rows makes no objects. */
interface Part extends Span {
  bytes: Buffer;
  start: number;
  end: number;
}

const part = (): Part => ({ bytes: noBytes, start: 0, end: 0 });

function put(into: Part, bytes: Buffer, start = 0, end = bytes.length): void {
  into.bytes = bytes;
  into.start = start;
  into.end = end;
}

/** About what an input takes, so that a page seldom has to be moved while it is written. */
export const bytesPerInput = 320;

/** Writes inputs of one app, for callers who reach this server at `publicUrl`. */
export class InputWriter {
  readonly writer: WireWriter;
  readonly #label: (field: number, label: Span) => void;
  /** Of hosted media: prefix, and the part of the suffix that tells the app. */
  readonly #prefix: Buffer;
  readonly #owner: Buffer;
  readonly #columns = new RawColumns();
  readonly #inData = new WireReader();
  readonly #inMedium = new WireReader();
  readonly #id = part();
  readonly #details = part();
  readonly #url = part();
  readonly #sha = part();
  readonly #media = part();
  readonly #settings = part();
  readonly #labelled = part();
  #kind: InputKind = 'image';
  #statusCode = 0;
  #mayRepeatUrl = false;

  constructor(grant: AppGrant, publicUrl: string, names: ConceptNames, writer = new WireWriter()) {
    this.writer = writer;
    this.#label = openLabelWriter(writer, grant, names);
    this.#prefix = Buffer.from(`${publicUrl}${mediaPath}`);
    this.#owner = Buffer.from(ownerPath(grant));
  }

  /** An input as field `field` of the message that is being written. */
  row(field: number, row: RawRow): void {
    const columns = this.#columns.read(row);
    columns.next();
    this.#take(this.#labelled);
    columns.next();
    this.#take(this.#id);
    columns.next();
    this.#kind = kindOfLetter.get(columns.bytes[columns.start] as number) as InputKind;
    this.#statusCode = columns.int4();
    this.#take(this.#details);
    this.#take(this.#url);
    this.#mayRepeatUrl = columns.bool();
    this.#take(this.#sha);
    this.#take(this.#media);
    this.#take(this.#settings);
    this.#input(field, columns.timeMs(), columns.timeMs());
  }

  /** The next column. */
  #take(into: Part): void {
    const columns = this.#columns;
    columns.next();
    put(into, columns.bytes, columns.start, columns.end);
  }

  /** The same of a row that was written just now, without its label. */
  written(field: number, row: InputRow): void {
    put(this.#labelled, noBytes);
    put(this.#id, Buffer.from(row.id));
    this.#kind = row.kind;
    this.#statusCode = row.statusCode;
    put(this.#details, Buffer.from(row.statusDetails));
    put(this.#url, Buffer.from(row.url));
    this.#mayRepeatUrl = row.allowDuplicateUrl;
    put(this.#sha, row.mediaSha ?? noBytes);
    put(this.#media, row.media);
    put(this.#settings, row.settings);
    this.#input(field, row.createdAt.getTime(), row.modifiedAt.getTime());
  }

  #input(field: number, createdMs: number, modifiedMs: number): void {
    const { writer } = this;
    const input = writer.open(field);
    this.#part(inInput.id, this.#id);
    const data = writer.open(inInput.data);
    const isLabelled = this.#labelled.end > this.#labelled.start;
    const numbers = ours[this.#kind];
    const { bytes, start, end } = this.#media;
    mergeFields(
      writer,
      this.#inData.read(bytes, start, end),
      isLabelled ? numbers.withLabel : numbers.inData,
      this.#dataField,
    );
    writer.close(data);
    this.#time(inInput.createdAt, createdMs);
    this.#time(inInput.modifiedAt, modifiedMs);
    this.#status();
    this.#part(inInput.settings, this.#settings);
    writer.close(input);
  }

  #part(field: number, { bytes, start, end }: Part): void {
    this.writer.part(field, bytes, start, end);
  }

  readonly #dataField = (field: number): void => {
    if (field === media[this.#kind].field) this.#medium(field);
    else this.#label(field, this.#labelled);
  };

  /** A stored medium with its address, where there is one stored. */
  #medium(field: number): void {
    const { bytes, start, end } = this.#media;
    const reader = this.#inMedium.read(bytes, start, end);
    let found: Part | undefined;
    while (reader.next()) if (reader.field === field) found = { bytes, start: reader.start, end: reader.end };
    const opened = this.writer.open(field);
    mergeFields(
      this.writer,
      reader.read(bytes, found?.start ?? 0, found?.end ?? 0),
      ours[this.#kind].inMedium,
      this.#mediumField,
    );
    this.writer.close(opened);
  }

  readonly #mediumField = (field: number): void => {
    const { writer } = this;
    const known = media[this.#kind];
    switch (field) {
      case known.url:
        this.#address(field);
        return;
      case known.allowDuplicateUrl:
        writer.bool(field, this.#mayRepeatUrl);
        return;
      case known.hosted:
        if (this.#isHosted) this.#hosted(field, this.#isProcessed ? hostedSizes[this.#kind] : original);
        return;
      case known.hostedThumbnail:
        if (this.#isHosted && this.#isProcessed) this.#hosted(field, thumbnailSizes);
        return;
      case known.thumbnailUrl:
        if (this.#isHosted && this.#isProcessed) this.#hostedAddress(field, thumbnailPath);
    }
  };

  get #hasMedium(): boolean {
    return this.#sha.end > this.#sha.start;
  }

  get #isProcessed(): boolean {
    return this.#statusCode === inputStatus.processed;
  }

  /** Hosted copies are shown once nothing more is to be done. */
  get #isHosted(): boolean {
    const isOpen = this.#statusCode === inputStatus.pending || this.#statusCode === inputStatus.inProgress;
    return this.#hasMedium && !isOpen;
  }

  /** Where it was fetched from, else the hosted original. */
  #address(field: number): void {
    if (this.#url.end > this.#url.start) this.#part(field, this.#url);
    else if (this.#hasMedium) this.#hostedAddress(field, originalPath);
  }

  #hostedAddress(field: number, path: Buffer): void {
    const { writer } = this;
    const opened = writer.open(field);
    writer.raw(this.#prefix);
    writer.raw(path);
    this.#suffix();
    writer.close(opened);
  }

  #hosted(field: number, shownSizes: readonly Buffer[]): void {
    const { writer } = this;
    const hosted = writer.open(field);
    writer.part(inHosted.prefix, this.#prefix);
    const suffix = writer.open(inHosted.suffix);
    this.#suffix();
    writer.close(suffix);
    for (const size of shownSizes) writer.part(inHosted.sizes, size);
    writer.part(inHosted.crossorigin, crossorigin);
    writer.close(hosted);
  }

  /** As `mediaSuffix` says it. */
  #suffix(): void {
    const { bytes, start, end } = this.#sha;
    this.writer.raw(this.#owner);
    this.writer.raw(kindPaths[this.#kind]);
    this.writer.hex(bytes, start, end);
  }

  #time(field: number, ms: number): void {
    const seconds = Math.floor(ms / 1000);
    const opened = this.writer.open(field);
    this.writer.int64(1, seconds);
    this.writer.uint(2, (ms - 1000 * seconds) * 1_000_000);
    this.writer.close(opened);
  }

  #status(): void {
    const known = statusBytes(this.#statusCode);
    const opened = this.writer.open(inInput.status);
    this.writer.raw(known);
    this.#part(inStatus.details, this.#details);
    this.writer.close(opened);
  }
}

const originalPath = Buffer.from('/orig/');
const thumbnailPath = Buffer.from('/thumbnail/');
const kindPaths = Object.fromEntries(inputKinds.map((kind) => [kind, Buffer.from(`${kind}/`)])) as Record<
  InputKind,
  Buffer
>;

/** The labels of rows, where there are any, and the revision of the concepts that they were read with. */
export function labelsOf(rows: readonly RawRow[]): { labels: Span[]; revision: number } {
  const columns = new RawColumns();
  const labels: Span[] = [];
  let revision = 0;
  for (const row of rows) {
    columns.read(row).next();
    if (!columns.next() || columns.end === columns.start) continue;
    labels.push({ bytes: columns.bytes, start: columns.start, end: columns.end });
    revision = columns.int8();
  }
  return { labels, revision };
}

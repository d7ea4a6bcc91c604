import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema, type ImageInfo } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { type ImageInfo as EngineImageInfo, renderPicture } from '#engine/image.ts';
import type { PicturePrint } from '#engine/prints/index.ts';
import { decodeText } from '#engine/text.ts';
import type { InputDeps } from './deps.ts';
import { openMediumDigester } from './digest-medium.ts';
import type { Digest } from './digested.ts';
import { inputFault } from './faults.ts';
import { faultOfFetch } from './fetch-fault.ts';
import { openSlots } from './group.ts';
import { bytesMaxOf, defaultMediaLimits, jpegSize, type MediaLimits } from './input.ts';
import { keepMedium, readOriginal, shaOf } from './media.ts';
import type { MediaSize } from './media-url.ts';
import type { InputRow } from './rows.ts';
import { packMediaData, unpackMediaData } from './translate.ts';

/** What the bytes of a picture or a text tell. */
interface Known {
  readonly media: Data;
  readonly kept: readonly { size: MediaSize; bytes: Buffer }[];
  readonly text?: string;
  readonly note?: string;
  readonly print?: PicturePrint;
}

/**
 * Fetches under way. A fetched file keeps its place until it was worked on, so that fast hosts cannot fill the
 * memory: at most so many files of the largest size, and those under work, are held at once.
 */
const fetchesAtOnce = 12;

/**
 * Opens the part of processing that writes nothing to the database: fetch, decode, render, store, embed.
 *
 * @param worksAtOnce media held and worked on at the same time in this process
 */
export function openDigester(deps: InputDeps, worksAtOnce: number) {
  const limits: MediaLimits = { ...defaultMediaLimits, ...deps.limits };
  const fetching = openSlots(fetchesAtOnce);
  const working = openSlots(worksAtOnce);
  const digestMedium = openMediumDigester(deps, limits);

  /** @throws Fault with the status that the input ends in; anything else is worth another try */
  async function digest(grant: AppGrant, row: InputRow, signal: AbortSignal): Promise<Digest> {
    if (row.kind === 'video' || row.kind === 'audio') return digestMedium(grant, row, signal);
    const { mediaSha } = row;
    if (mediaSha) {
      return working(async () =>
        digestBytes(grant, row, await readOriginal(deps.objects, grant, mediaSha), signal),
      );
    }
    return fetching(async () => {
      const bytes = await fetchBytes(row, signal);
      return working(() => digestBytes(grant, row, bytes, signal));
    });
  }

  async function digestBytes(
    grant: AppGrant,
    row: InputRow,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<Digest> {
    signal.throwIfAborted();
    const sha = row.mediaSha ?? shaOf(bytes);
    const known: Known = row.kind === 'text' ? readText(bytes) : await readPicture(bytes);
    const kept = [...known.kept, ...(row.mediaSha ? [] : [{ size: 'orig' as const, bytes }])];
    const [indexed] = await Promise.all([
      row.kind === 'image' ? deps.indexer?.prepare(grant, bytes, signal) : undefined,
      ...kept.map((one) => keepMedium(deps.objects, one.size, sha, one.bytes)),
    ]);
    const before = unpackMediaData(row.media);
    return {
      sha,
      sizeBytes: bytes.length,
      media: packMediaData(joined(before, known.media)),
      kept,
      indexed,
      note: known.note ?? '',
      print: known.print,
      text: known.text ?? (before.text?.raw || undefined),
    };
  }

  async function fetchBytes(row: InputRow, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    try {
      const sizeBytesMax = bytesMaxOf(row.kind, limits, 'url');
      return (await deps.fetcher.fetch(row.url, { sizeBytesMax, timeoutMs: limits.fetchTimeoutMs, signal }))
        .bytes;
    } catch (thrown) {
      throw faultOfFetch(thrown);
    }
  }

  async function readPicture(bytes: Buffer): Promise<Omit<Known, 'text'>> {
    const engineLimits = { pixelsMax: limits.pixelsMax, bytesMax: limits.imageBytesMax };
    const { info, tiny, small, large, print } = await renderPicture(bytes, engineLimits);
    const isLargeOwn = large === bytes;
    return {
      note: noteOf(info),
      print,
      media: create(DataSchema, {
        image: {
          imageInfo: showInfo(info),
          hostedImageInfo: {
            tiny: jpegInfo(tiny),
            small: jpegInfo(small),
            large: isLargeOwn ? showInfo(info) : jpegInfo(large),
          },
        },
      }),
      kept: [
        { size: 'tiny' as const, bytes: tiny },
        { size: 'small' as const, bytes: small },
        ...(isLargeOwn ? [] : [{ size: 'large' as const, bytes: large }]),
      ],
    };
  }

  return digest;
}

const showInfo = ({ width, height, format, colorMode }: Omit<EngineImageInfo, 'pages'>) =>
  ({ width, height, format, colorMode }) as ImageInfo;

/** What somebody who sent more than one picture in a file has to know. */
function noteOf({ format, pages }: EngineImageInfo): string {
  if (pages <= 1) return '';
  const parts = format === 'TIFF' ? 'pages' : 'frames';
  return `The file has ${pages} ${parts}; the first one is used.`;
}

/** Renditions are colour JPEGs, whatever they were made from. */
const jpegInfo = (bytes: Buffer) =>
  showInfo({ ...(jpegSize(bytes) ?? { width: 0, height: 0 }), format: 'JPEG', colorMode: 'YUV' });

function readText(bytes: Buffer): Known {
  const decoded = decodeText(bytes);
  if (!decoded) throw inputFault.notText();
  let charCount = 0;
  for (const _ of decoded.text) charCount += 1;
  const { text, encoding } = decoded;
  return { media: create(DataSchema, { text: { textInfo: { charCount, encoding } } }), kept: [], text };
}

/** A text beside a picture stays as it was sent. */
const joined = (before: Data, known: Data): Data =>
  create(DataSchema, { ...known, ...(known.image && before.text ? { text: before.text } : {}) });

/** Containers that are decoded, as `video_info.video_format` and `audio_info.audio_format` spell them. */
export type MediaFormat =
  | 'MP4'
  | 'MOV'
  | '3GPP'
  | 'M4A'
  | 'WEBM'
  | 'MKV'
  | 'AVI'
  | 'WMV'
  | 'WAV'
  | 'MP3'
  | 'FLAC'
  | 'OGG';

export interface FoundFormat {
  readonly format: MediaFormat;
  /** The one reader of ffmpeg that is let at the file. */
  readonly demuxer: 'mov' | 'matroska' | 'avi' | 'asf' | 'wav' | 'mp3' | 'flac' | 'ogg';
}

/** Bytes from the start of a file that `readMediaFormat` looks at. */
export const formatHeadBytes = 4096;

const asf = Buffer.from('3026b2758e66cf11a6d900aa0062ce6c', 'hex');
/** Boxes that a QuickTime file without a file type box may begin with. */
const oldQuickTime = ['moov', 'mdat', 'wide', 'free', 'skip', 'pnot'];

/**
 * Tells a container from its first bytes, never from a name or a header, so that playlists and other texts that
 * name further files are never opened. Undefined for everything else.
 *
 * Source: ISO/IEC 14496-12 (file type box), RIFF, ASF header object, Matroska EBML header, RFC 3533, ID3v2.
 */
export function readMediaFormat(head: Uint8Array): FoundFormat | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const word = (at: number) => bytes.toString('latin1', at, at + 4);
  if (word(4) === 'ftyp') return ofBrand(word(8));
  if (oldQuickTime.includes(word(4))) return { format: 'MOV', demuxer: 'mov' };
  if (word(0) === 'RIFF' && word(8) === 'AVI ') return { format: 'AVI', demuxer: 'avi' };
  if (word(0) === 'RIFF' && word(8) === 'WAVE') return { format: 'WAV', demuxer: 'wav' };
  if (word(0) === '\x1aE\xdf\xa3') return ofDocType(bytes);
  if (bytes.subarray(0, 16).equals(asf)) return { format: 'WMV', demuxer: 'asf' };
  if (word(0) === 'fLaC') return { format: 'FLAC', demuxer: 'flac' };
  if (word(0) === 'OggS') return { format: 'OGG', demuxer: 'ogg' };
  if (bytes.toString('latin1', 0, 3) === 'ID3' || isMpegAudio(bytes))
    return { format: 'MP3', demuxer: 'mp3' };
  return undefined;
}

function ofBrand(brand: string): FoundFormat | undefined {
  // Pictures in the same container.
  if (/^(avif|avis|heic|heix|hevc|mif1|msf1)$/.test(brand)) return undefined;
  if (brand === 'qt  ') return { format: 'MOV', demuxer: 'mov' };
  if (/^3g[ps2]/i.test(brand)) return { format: '3GPP', demuxer: 'mov' };
  if (/^M4[AB] $/.test(brand)) return { format: 'M4A', demuxer: 'mov' };
  return { format: 'MP4', demuxer: 'mov' };
}

function ofDocType(bytes: Buffer): FoundFormat | undefined {
  const start = bytes.toString('latin1', 0, 64);
  if (start.includes('webm')) return { format: 'WEBM', demuxer: 'matroska' };
  return start.includes('matroska') ? { format: 'MKV', demuxer: 'matroska' } : undefined;
}

/** A frame header of MPEG audio, layer III: twelve bits of ones, and no reserved value (ISO/IEC 11172-3). */
function isMpegAudio(bytes: Buffer): boolean {
  const [first = 0, second = 0, third = 0] = bytes;
  const layer = (second >> 1) & 3;
  const version = (second >> 3) & 3;
  return first === 0xff && second >> 5 === 7 && version !== 1 && layer === 1 && third >> 4 !== 15;
}

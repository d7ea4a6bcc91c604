import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clipSize, ffmpegPath, numberedClip, numberIn, toneClip } from '#testing/clips.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { codesOf, inputOf, settled, webServer } from './inputs.testing.ts';

let alice: Person;
let clip: Buffer;
beforeAll(async () => {
  alice = await signedIn('media');
  if (ffmpegPath) clip = await numberedClip({ ending: 'mp4', frames: 60, sound: true });
});

const withFfmpeg = test.skipIf(!ffmpegPath);
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

async function got(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers: { authorization: `Key ${alice.pat}`, ...headers } });
  return { response, bytes: Buffer.from(await response.arrayBuffer()) };
}

/** The number that a hosted picture of a clip says. */
async function numberShown(jpeg: Buffer): Promise<number | undefined> {
  const { data, info } = await sharp(jpeg).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return numberIn({ width: info.width, height: info.height, pixels: data });
}

async function posted(id: string, data: object) {
  const reply = await alice.client.postInputs({ inputs: [{ id, data }] });
  expect(codesOf(reply)[0]).toBeGreaterThanOrEqual(30000);
  await settled(alice);
  return inputOf(alice, id);
}

describe('a video', () => {
  withFfmpeg('is known, hosted as it came, and has a thumbnail of its first second', async () => {
    const input = await posted('v1', { video: { base64: clip } });
    expect(input.status?.code).toBe(30000);
    const { videoInfo, hosted, hostedThumbnail, url } = input.data?.video ?? {};
    expect(videoInfo).toMatchObject({ ...clipSize, videoFormat: 'MP4', fps: 25, frameCount: 60 });
    expect(videoInfo?.durationSeconds).toBeCloseTo(2.4, 2);
    expect(videoInfo?.bitRate).toBeGreaterThan(1000);
    expect(hosted?.sizes).toEqual(['orig', 'thumbnail']);
    expect(hostedThumbnail?.sizes).toEqual(['thumbnail', 'large', 'small', 'tiny']);

    const original = await got(url as string);
    expect(md5(original.bytes)).toBe(md5(clip));
    expect(original.response.headers.get('content-type')).toBe('video/mp4');
    const part = await got(url as string, { range: 'bytes=100-199' });
    expect(part.response.status).toBe(206);
    expect(part.bytes).toEqual(clip.subarray(100, 200));

    for (const size of hostedThumbnail?.sizes ?? []) {
      const { response, bytes } = await got(`${hostedThumbnail?.prefix}/${size}/${hostedThumbnail?.suffix}`);
      expect(response.headers.get('content-type')).toBe('image/jpeg');
      expect(await numberShown(bytes)).toBe(25);
    }
  });

  withFfmpeg('shows every one of its frames by number and by time', async () => {
    const input = await posted('v2', { video: { base64: clip } });
    const address = input.data?.video?.thumbnailUrl as string;
    for (let n = 0; n < 60; n += 7) {
      expect(await numberShown((await got(`${address}?frame=${n}`)).bytes)).toBe(n);
      expect(await numberShown((await got(`${address}?time=${n * 40 + 39}`)).bytes)).toBe(n);
    }
    expect((await got(`${address}?frame=60`)).response.status).toBe(404);
    expect((await fetch(`${address}?frame=1`)).status).toBe(404);
  });

  withFfmpeg('tells when each of its frames is shown, at any rate', async () => {
    const timesMs = Array.from({ length: 30 }, (_, n) => n * 40 + (n >= 10 ? 700 : 0));
    await posted('timed', { video: { base64: await numberedClip({ ending: 'mp4', frames: 30, timesMs }) } });
    const path = (id: string) =>
      `/v2/ext/fovea/users/${alice.userId}/apps/${alice.appId}/inputs/${id}/frames`;
    const { json } = await alice.rest('GET', path('timed'));
    expect(json.status.code).toBe(10000);
    expect(json.frames).toMatchObject({ count: 30, times_ms: timesMs });
    expect(json.frames.duration_ms).toBeGreaterThan(timesMs[29] as number);
    expect((await alice.rest('GET', path('nothing'))).json.status.code).toBe(11101);
    const other = await signedIn('stranger');
    const refused = await other.rest('GET', path('timed'));
    expect(refused.json.frames).toBeUndefined();
    expect(refused.http).toBeGreaterThanOrEqual(400);
  });

  withFfmpeg('may come from a URL', async () => {
    const site = await webServer({ '/clip.mp4': clip });
    try {
      const input = await posted('v3', { video: { url: `${site.url}/clip.mp4` } });
      expect(input.status?.code).toBe(30000);
      expect(input.data?.video?.url).toBe(`${site.url}/clip.mp4`);
      const { prefix, suffix } = input.data?.video?.hosted ?? {};
      expect(md5((await got(`${prefix}/orig/${suffix}`)).bytes)).toBe(md5(clip));
    } finally {
      await site.close();
    }
  });

  withFfmpeg(
    'that is none, or is damaged, ends in a status that says so and stays downloadable',
    async () => {
      const none = await posted('v4', { video: { base64: Buffer.from('#EXTM3U\nfile:///etc/passwd\n') } });
      expect(none.status).toMatchObject({ code: 30101 });
      const { data, status } = await posted('v5', { video: { base64: clip.subarray(0, 2000) } });
      expect(status?.code).toBe(30300);
      expect((await got(data?.video?.url as string)).bytes).toEqual(clip.subarray(0, 2000));
    },
  );

  withFfmpeg('is gone with all its pictures when it is deleted', async () => {
    const own = await numberedClip({ ending: 'webm', frames: 30 });
    const input = await posted('v6', { video: { base64: own } });
    expect(input.data?.video?.videoInfo).toMatchObject({ videoFormat: 'WEBM', frameCount: 30 });
    await alice.client.deleteInput({ inputId: 'v6' });
    expect((await got(input.data?.video?.url as string)).response.status).toBe(404);
    expect((await got(input.data?.video?.thumbnailUrl as string)).response.status).toBe(404);
  });
});

describe('a picture', () => {
  test('of several pages is processed by its first, and says so', async () => {
    const pages = await Promise.all(
      ['#ff0000', '#0000ff'].map((background) =>
        sharp({ create: { width: 20, height: 10, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const tiff = await sharp(pages, { join: { animated: true } })
      .tiff()
      .toBuffer();
    const input = await posted('pages', { image: { base64: tiff } });
    expect(input.status).toMatchObject({
      code: 30000,
      details: 'The file has 2 pages; the first one is used.',
    });
    const { imageInfo, hosted, url } = input.data?.image ?? {};
    expect(imageInfo).toMatchObject({ width: 20, height: 10, format: 'TIFF' });
    expect((await got(url as string)).bytes.equals(tiff)).toBe(true);
    const small = await got(`${hosted?.prefix}/small/${hosted?.suffix}`);
    const { data } = await sharp(small.bytes).raw().toBuffer({ resolveWithObject: true });
    expect(data[0]).toBeGreaterThan(200);
  });

  test('that lies on its side is upright in every size, and its file is as it came', async () => {
    const jpeg = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#888888' } })
      .composite([
        {
          input: { create: { width: 150, height: 200, channels: 3, background: '#ff0000' } },
          left: 0,
          top: 0,
        },
      ])
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const input = await posted('lying', { image: { base64: jpeg } });
    const { imageInfo, hosted, url } = input.data?.image ?? {};
    expect(imageInfo).toMatchObject({ width: 200, height: 300 });
    expect((await got(url as string)).bytes.equals(jpeg)).toBe(true);
    for (const size of ['tiny', 'small', 'large']) {
      const shown = await got(`${hosted?.prefix}/${size}/${hosted?.suffix}`);
      const { data, info } = await sharp(shown.bytes).raw().toBuffer({ resolveWithObject: true });
      expect(info.height).toBeGreaterThan(info.width);
      expect(data[1]).toBeLessThan(60);
      expect(data.at(-2)).toBeGreaterThan(100);
    }
  });

  test.each(['avif', 'png16'])('of kind %s is processed', async (kind) => {
    const canvas = sharp({ create: { width: 64, height: 48, channels: 3, background: '#3366cc' } });
    const bytes = await (kind === 'avif' ? canvas.avif() : canvas.toColourspace('rgb16').png()).toBuffer();
    const input = await posted(kind, { image: { base64: bytes } });
    expect(input.status?.code).toBe(30000);
    expect(input.data?.image?.imageInfo).toMatchObject({
      width: 64,
      height: 48,
      format: kind === 'avif' ? 'AVIF' : 'PNG',
    });
    const original = await got(input.data?.image?.url as string);
    expect(original.response.headers.get('content-type')).toBe(kind === 'avif' ? 'image/avif' : 'image/png');
  });
});

describe('a sound', () => {
  for (const ending of ['wav', 'mp3', 'flac', 'ogg', 'm4a'] as const) {
    withFfmpeg(`of kind ${ending} is known and has a picture of its waves`, async () => {
      const tone = await toneClip(ending);
      const input = await posted(`s-${ending}`, { audio: { base64: tone } });
      expect(input.status?.code).toBe(30000);
      const { audioInfo, hosted } = input.data?.audio ?? {};
      expect(audioInfo).toMatchObject({ audioFormat: ending.toUpperCase(), sampleRate: 44100 });
      expect(audioInfo?.durationSeconds).toBeCloseTo(2, 0);
      expect(hosted?.sizes).toEqual(['orig', 'thumbnail']);
      const waves = await got(`${hosted?.prefix}/thumbnail/${hosted?.suffix}`);
      expect((await sharp(waves.bytes).metadata()).width).toBe(640);
      expect((await got(`${hosted?.prefix}/orig/${hosted?.suffix}`)).bytes.equals(tone)).toBe(true);
    });
  }
});

describe('a text', () => {
  const words = 'Ärger über Größe: naïve façade.';
  const texts: [string, Buffer, string][] = [
    ['plain', Buffer.from(words), 'UTF-8'],
    ['marked', Buffer.from(`\ufeff${words}`), 'UTF-8'],
    ['wide', Buffer.from(`\ufeff${words}`, 'utf16le'), 'UTF-16LE'],
    ['unmarked-wide', Buffer.from(words, 'utf16le'), 'UTF-16LE'],
    ['old', Buffer.from(words, 'latin1'), 'ISO-8859-1'],
  ];
  let site: Awaited<ReturnType<typeof webServer>>;
  beforeAll(async () => {
    site = await webServer(
      Object.fromEntries([
        ...texts.map(([name, bytes]) => [`/${name}`, bytes]),
        ['/none', Buffer.from([1, 0, 2, 0, 0, 3])],
      ]),
    );
  });
  afterAll(() => site.close());

  test.each(texts)('in an encoding is told and counted: %s', async (name, bytes, encoding) => {
    const input = await posted(`t-${name}`, { text: { url: `${site.url}/${name}` } });
    expect(input.data?.text?.textInfo).toMatchObject({ encoding, charCount: [...words].length });
    const { prefix, suffix } = input.data?.text?.hosted ?? {};
    expect((await got(`${prefix}/orig/${suffix}`)).bytes).toEqual(bytes);
  });

  test('that is none ends in a status that says so', async () => {
    const input = await posted('t-none', { text: { url: `${site.url}/none` } });
    expect(input.status?.details).toContain('text');
    expect(input.status?.code).not.toBe(30000);
  });
});

describe('GetInputVideoManifest', () => {
  /** What a player makes of a manifest: frames of the pictures, and whether there is a sound. */
  async function played(manifestUrl: string) {
    // ffmpeg passes headers on from the manifest's own request, so it has to come over HTTP as well.
    const site = await webServer({ '/film.mpd': Buffer.from(manifestUrl.split(',')[1] as string, 'base64') });
    try {
      const args = ['-v', 'error', '-of', 'json', '-count_frames', '-show_streams'];
      args.push('-headers', `Authorization: Key ${alice.pat}\r\n`, '-f', 'dash', `${site.url}/film.mpd`);
      const probe = (ffmpegPath as string).replace(/ffmpeg$/, 'ffprobe');
      const { stdout, stderr } = await promisify(execFile)(probe, args);
      const { streams } = JSON.parse(stdout) as {
        streams: { codec_type: string; nb_read_frames: string; width?: number; height?: number }[];
      };
      return { complaints: stderr, streams };
    } finally {
      await site.close();
    }
  }
  const xmlOf = (manifestUrl: string) =>
    Buffer.from(manifestUrl.split(',')[1] as string, 'base64').toString();
  const urlsIn = (xml: string) =>
    [...xml.matchAll(/<BaseURL>(.*)<\/BaseURL>/g)].map(([, url]) => url as string);

  withFfmpeg('lays pictures and sound out for players, whole and in ranges', async () => {
    await posted('m1', { video: { base64: clip } });
    const { status, manifestUrl } = await alice.client.getInputVideoManifest({ inputId: 'm1' });
    expect([status?.code, status?.details]).toEqual([10000, '']);
    expect(manifestUrl).toMatch(/^data:application\/dash\+xml;base64,/);
    const xml = xmlOf(manifestUrl);
    expect(xml).toContain('profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"');
    expect(xml).toContain('mediaPresentationDuration="PT2.400S"');
    expect(xml).toMatch(/codecs="avc1\.[0-9a-f]{6}" width="96" height="64" frameRate="25000\/1000"/);
    expect(xml).toMatch(/codecs="mp4a\.40\.2"/);
    const [pictures = '', sound = ''] = urlsIn(xml);
    expect((await got(sound)).response.headers.get('content-type')).toBe('audio/mp4');
    const [, from, to] = /indexRange="(\d+)-(\d+)"/.exec(xml) ?? [];
    const index = await got(pictures, { range: `bytes=${from}-${to}` });
    expect([index.response.status, index.bytes.toString('latin1', 4, 8)]).toEqual([206, 'sidx']);
    expect(index.bytes.length).toBe(index.bytes.readUInt32BE(0));
    const whole = await got(pictures);
    // The parts that the index names are all that follows it.
    const parts = Array.from({ length: index.bytes.readUInt16BE(38) }, (_, i) =>
      index.bytes.readUInt32BE(40 + 12 * i),
    );
    expect(parts.reduce((sum, bytes) => sum + bytes, Number(to) + 1)).toBe(whole.bytes.length);
    const first = whole.bytes.subarray(Number(to) + 1);
    expect(first.toString('latin1', 4, 8)).toBe('moof');
    const { complaints, streams } = await played(manifestUrl);
    expect(complaints).toBe('');
    expect(streams.find((one) => one.codec_type === 'video')).toMatchObject({
      nb_read_frames: '60',
      width: 96,
      height: 64,
    });
    expect(Number(streams.find((one) => one.codec_type === 'audio')?.nb_read_frames)).toBeGreaterThan(50);
    const { http, json } = await alice.rest('GET', 'inputs/m1/video_manifest');
    expect([http, json.manifest_url]).toEqual([200, manifestUrl]);
    const stranger = await signedIn('stranger');
    const asked = await fetch(pictures, { headers: { authorization: `Key ${stranger.pat}` } });
    expect(asked.status).toBe(404);
  });

  withFfmpeg.each([
    ['turned pictures', { ending: 'mov', frames: 30, turns: 1 }],
    ['VP9', { ending: 'webm', frames: 30 }],
    ['a rate that varies', { ending: 'mp4', frames: 6, timesMs: [0, 40, 100, 350, 360, 1000] }],
  ] as const)('plays %s frame for frame', async (name, options) => {
    const id = `m-${name.replaceAll(' ', '-')}`;
    await posted(id, { video: { base64: await numberedClip(options) } });
    const { status, manifestUrl } = await alice.client.getInputVideoManifest({ inputId: id });
    expect([status?.code, status?.details]).toEqual([10000, '']);
    expect((await played(manifestUrl)).streams).toMatchObject([
      { codec_type: 'video', nb_read_frames: String(options.frames) },
    ]);
  });

  withFfmpeg('names the original where its pictures would have to be coded anew', async () => {
    const old = await numberedClip({ ending: 'avi', frames: 20 });
    await posted('m4', { video: { base64: old } });
    const { status, manifestUrl } = await alice.client.getInputVideoManifest({ inputId: 'm4' });
    expect(status?.code).toBe(10010);
    const [url = ''] = urlsIn(xmlOf(manifestUrl));
    expect((await got(url)).bytes.equals(old)).toBe(true);
    const { http, json } = await alice.rest('GET', 'inputs/m4/video_manifest');
    expect([http, json.manifest_url]).toEqual([207, manifestUrl]);
  });

  test('is refused for what is no processed video', async () => {
    await posted('m2', { text: { raw: 'words' } });
    const code = async (inputId: string) =>
      (await alice.client.getInputVideoManifest({ inputId })).status?.code;
    expect(await code('m2')).toBe(30104);
    expect(await code('nowhere')).toBe(11101);
    await posted('m3', { video: { base64: Buffer.from('no film') } });
    expect(await code('m3')).toBe(30104);
  });
});

test('GetInputSamples shows what each labeler of a task did last', async () => {
  await posted('l1', { text: { raw: 'one' } });
  await posted('l2', { text: { raw: 'two' } });
  const annotations = ['l1', 'l2', 'l1'].map((inputId, at) => ({
    inputId,
    taskId: 'task',
    data: { concepts: [{ id: `c${at}`, value: 1 }] },
  }));
  const { status } = await alice.client.postAnnotations({ annotations });
  expect(status?.code, status?.details).toBe(10000);
  const { hits } = await alice.client.getInputSamples({ taskId: 'task' });
  expect(hits.map(({ input, annotation }) => [input?.id, annotation?.data?.concepts[0]?.id])).toEqual([
    ['l1', 'c2'],
    ['l2', 'c1'],
    ['l1', 'c0'],
  ]);
  expect(hits[0]?.annotation?.taskId).toBe('task');
  expect((await alice.client.getInputSamples({ taskId: 'task', userIds: [alice.userId] })).hits).toHaveLength(
    3,
  );
  const bob = await signedIn('bob');
  expect((await alice.client.getInputSamples({ taskId: 'task', userIds: [bob.userId] })).hits).toEqual([]);
  const codes = await Promise.all(
    [{ taskId: 'none' }, { taskId: '' }, { taskId: 'task', userIds: ['nobody'] }].map(
      async (request) => (await alice.client.getInputSamples(request)).status?.code,
    ),
  );
  expect(codes).toEqual([11101, 11102, 11101]);
});

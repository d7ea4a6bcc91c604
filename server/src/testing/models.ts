import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type PostModelVersionsUploadRequest,
  PostModelVersionsUploadRequestSchema,
  type PostModelVersionsUploadResponse,
  PostModelVersionsUploadResponseSchema,
} from '@fovea/contract';
import { OnnxGraph } from '#engine/convert/onnx-graph.ts';
import { openClient } from './client.ts';
import type { Person } from './people.ts';

const path = '/clarifai.api.V2/PostModelVersionsUpload';

export interface UploadCall {
  send(message: Parameters<typeof create<typeof PostModelVersionsUploadRequestSchema>>[1]): void;
  /** The next reply; undefined at the end. */
  next(): Promise<PostModelVersionsUploadResponse | undefined>;
  end(): void;
  cancel(): void;
}

/** Speaks PostModelVersionsUpload over the wire, message by message. */
export function openUploadCall(person: Pick<Person, 'url' | 'pat'>): UploadCall {
  const { channel, headers, close } = openClient(new URL(person.url).host, {
    authorization: `Key ${person.pat}`,
  });
  const stream = channel.makeBidiStreamRequest<
    PostModelVersionsUploadRequest,
    PostModelVersionsUploadResponse
  >(
    path,
    (message) => Buffer.from(toBinary(PostModelVersionsUploadRequestSchema, message)),
    (bytes) => fromBinary(PostModelVersionsUploadResponseSchema, bytes),
    headers,
  );
  const replies: PostModelVersionsUploadResponse[] = [];
  let isOver = false;
  let wake = () => {};
  stream.on('data', (reply: PostModelVersionsUploadResponse) => {
    replies.push(reply);
    wake();
  });
  const over = () => {
    isOver = true;
    close();
    wake();
  };
  stream.on('end', over);
  stream.on('error', over);
  return {
    send: (message) => void stream.write(create(PostModelVersionsUploadRequestSchema, message)),
    async next() {
      for (;;) {
        const reply = replies.shift();
        if (reply || isOver) return reply;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    end: () => stream.end(),
    cancel: () => stream.cancel(),
  };
}

/** Uploads an archive to a model in parts of `partBytes`. @returns every reply */
export async function uploadVersion(
  person: Person,
  modelId: string,
  archive: Uint8Array,
  { versionId = '', isV3 = true, partBytes = 64 * 1024 } = {},
): Promise<PostModelVersionsUploadResponse[]> {
  const call = openUploadCall(person);
  const userAppId = { userId: person.userId, appId: person.appId };
  const config = {
    userAppId,
    modelId,
    modelVersion: { id: versionId },
    totalSize: BigInt(archive.length),
    isV3,
  };
  call.send({ uploadData: { case: 'uploadConfig', value: config } });
  for (let at = 0, number = 1; at < archive.length; at += partBytes, number += 1) {
    const data = archive.subarray(at, at + partBytes);
    call.send({
      uploadData: {
        case: 'contentPart',
        value: { partNumber: number, rangeStart: BigInt(at), data } as never,
      },
    });
  }
  call.end();
  const replies: PostModelVersionsUploadResponse[] = [];
  for (;;) {
    const reply = await call.next();
    if (!reply) return replies;
    replies.push(reply);
  }
}

/** Waits until an uploaded version is built, or refused. */
export async function builtVersion(person: Pick<Person, 'client'>, modelId: string, versionId: string) {
  for (let tries = 0; tries < 1_200; tries += 1) {
    const { modelVersion } = await person.client.getModelVersion({ modelId, versionId });
    if (modelVersion?.status?.code !== 21107) return modelVersion;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the version was not built');
}

/** Makes a model, uploads an archive to it and waits. */
export async function broughtModel(
  person: Person,
  modelId: string,
  modelTypeId: string,
  archive: Uint8Array,
  useCases: string[] = [],
) {
  const made = await person.client.postModels({ models: [{ id: modelId, modelTypeId, useCases }] });
  if (made.status?.code !== 10000) throw new Error(`no model: ${made.status?.details}`);
  const replies = await uploadVersion(person, modelId, archive);
  const versionId = replies.at(-1)?.modelVersionId ?? '';
  return { replies, versionId, version: await builtVersion(person, modelId, versionId) };
}

/** A classifier of one class for each colour channel: the mean of red, green and blue, times ten. */
export function channelNetwork({ batch = 'batch' as number | string, edge = 8 } = {}): Uint8Array {
  const graph = new OnnxGraph();
  const image = graph.input('pixel_values', 'float32', [batch, 3, edge, edge]);
  const means = graph.node('Flatten', [graph.node('GlobalAveragePool', [image])], { axis: 1 });
  graph.output('logits', graph.node('Mul', [means, graph.floats([10], [1])]), 'float32', [batch, 3]);
  return graph.finish('fovea tests');
}

/** A tar (ustar) of files. */
export function tarFile(files: Readonly<Record<string, Uint8Array | string>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const bytes = Buffer.from(content as Uint8Array);
    return [tarHeader(name, bytes.length, '0'), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export function tarHeader(name: string, size: number, type: string, linkTo = ''): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000644\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('        ', 148);
  block.write(type, 156);
  block.write(linkTo, 157);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

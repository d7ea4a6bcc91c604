import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { colourPng } from '#testing/inputs.ts';
import {
  broughtModel,
  builtVersion,
  channelNetwork,
  openUploadCall,
  tarFile,
  uploadVersion,
} from '#testing/models.ts';
import { type Person, signedIn } from '#testing/people.ts';

let alice: Person;
const labels = JSON.stringify({
  task: 'image-classification',
  labels: ['red', 'green', 'blue'],
  licence: 'CC0-1.0',
});
const archive = tarFile({ 'fovea.json': labels, 'model.onnx': channelNetwork() });

beforeAll(async () => {
  alice = await signedIn('alice');
});

const picture = (r: number, g: number, b: number) => ({ data: { image: { base64: colourPng(r, g, b) } } });

describe('PostModelVersionsUpload', () => {
  test('takes a package in parts, builds it, and the model predicts', async () => {
    const { replies, versionId, version } = await broughtModel(
      alice,
      'colours',
      'visual-classifier',
      archive,
    );
    expect(replies[0]?.status?.code).toBe(68000);
    expect(replies[0]?.modelVersionId).toBe(versionId);
    expect(Number(replies[0]?.bytesRemaining)).toBe(archive.length);
    expect(replies.at(-1)?.status?.code).toBe(21107);
    expect(version?.status?.code, version?.status?.details).toBe(21100);
    expect(version?.license).toBe('CC0-1.0');
    expect(version?.outputInfo?.data?.concepts.map((one) => one.id)).toEqual(['red', 'green', 'blue']);
    const { outputs } = await alice.client.postModelOutputs({
      modelId: 'colours',
      inputs: [picture(250, 20, 20), picture(20, 20, 250)],
    });
    expect(outputs.map((one) => one.data?.concepts[0]?.id)).toEqual(['red', 'blue']);
    expect(outputs[0]?.data?.concepts[0]).toMatchObject({ appId: alice.appId, userId: alice.userId });
  });

  test('answers the config at once, goes on where it was, and counts a part that comes again once', async () => {
    await alice.client.postModels({ models: [{ id: 'resumed', modelTypeId: 'visual-classifier' }] });
    const userAppId = { userId: alice.userId, appId: alice.appId };
    const half = Math.floor(archive.length / 2);
    const config = (id: string) => ({
      uploadData: {
        case: 'uploadConfig' as const,
        value: {
          userAppId,
          modelId: 'resumed',
          modelVersion: { id },
          totalSize: BigInt(archive.length),
          isV3: true,
        },
      },
    });
    const part = (partNumber: number, data: Uint8Array) => ({
      uploadData: { case: 'contentPart' as const, value: { partNumber, rangeStart: 0n, data } as never },
    });
    const first = openUploadCall(alice);
    first.send(config(''));
    const id = (await first.next())?.modelVersionId ?? '';
    first.send(part(1, archive.subarray(0, half)));
    expect(Number((await first.next())?.bytesRemaining)).toBe(archive.length - half);
    first.cancel();
    expect(
      (await alice.client.getModelVersion({ modelId: 'resumed', versionId: id })).modelVersion?.status?.code,
    ).toBe(21104);
    const again = openUploadCall(alice);
    again.send(config(id));
    expect(Number((await again.next())?.bytesRemaining)).toBe(archive.length - half);
    again.send(part(1, archive.subarray(0, half)));
    expect(Number((await again.next())?.bytesRemaining)).toBe(archive.length - half);
    again.send(part(2, archive.subarray(half)));
    expect(await again.next()).toMatchObject({ status: { code: 21107 }, modelVersionId: id });
    again.end();
    expect((await builtVersion(alice, 'resumed', id))?.status?.code).toBe(21100);
    const done = openUploadCall(alice);
    done.send(config(id));
    expect((await done.next())?.status?.code).toBe(40010);
  });

  test('an older upload, without is_v3, ends with 68001', async () => {
    await alice.client.postModels({ models: [{ id: 'older', modelTypeId: 'visual-classifier' }] });
    const replies = await uploadVersion(alice, 'older', gzipSync(archive), { isV3: false });
    expect(replies.at(-1)?.status?.code).toBe(68001);
    expect((await builtVersion(alice, 'older', replies[0]?.modelVersionId ?? ''))?.status?.code).toBe(21100);
  });

  test('refuses what cannot be an upload', async () => {
    const userAppId = { userId: alice.userId, appId: alice.appId };
    const tries: [object, number][] = [
      [{ case: 'uploadConfig', value: { userAppId, modelId: 'nobody', totalSize: 10n } }, 21200],
      [{ case: 'uploadConfig', value: { userAppId, modelId: 'colours', totalSize: 0n } }, 11102],
      [{ case: 'uploadConfig', value: { userAppId, modelId: 'colours', totalSize: 2n ** 60n } }, 11102],
      [{ case: 'contentPart', value: { partNumber: 1, data: new Uint8Array(3) } }, 11102],
    ];
    for (const [uploadData, code] of tries) {
      const call = openUploadCall(alice);
      call.send({ uploadData: uploadData as never });
      const reply = await call.next();
      expect(reply?.status?.code, reply?.status?.details).toBe(code);
      call.end();
    }
  });

  test('the layout of the official SDK: the network is found, code is never run', async () => {
    const config = {
      architectures: ['ViTForImageClassification'],
      id2label: { 0: 'red', 1: 'green', 2: 'blue' },
    };
    const upload = tarFile({
      './config.yaml': 'model: {id: x}\n',
      './requirements.txt': 'torch\n',
      './1/model.py': 'raise SystemExit("never run")\n',
      './1/checkpoints/config.json': JSON.stringify(config),
      './1/checkpoints/preprocessor_config.json': JSON.stringify({
        do_normalize: false,
        size: { height: 8, width: 8 },
      }),
      './1/checkpoints/onnx/model.onnx': channelNetwork(),
      './1/checkpoints/model.safetensors': 'weights',
    });
    const { version } = await broughtModel(alice, 'sdk-layout', 'visual-classifier', gzipSync(upload));
    expect(version?.status?.code, version?.status?.details).toBe(21100);
    const { outputs } = await alice.client.postModelOutputs({
      modelId: 'sdk-layout',
      inputs: [picture(10, 240, 10)],
    });
    expect(outputs[0]?.data?.concepts[0]?.name).toBe('green');
  });
});

import { create, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { V2 } from '@fovea/contract';
import { expect, test } from 'vitest';
import { openClient } from '#testing/client.ts';
import { tinyPng } from '#testing/inputs.ts';
import { signedIn } from '#testing/people.ts';

type Reply = MessageShape<(typeof V2.method.streamModelOutputs)['output']>;

test('StreamModelOutputs answers each request of a two-way stream as it comes', async () => {
  const alice = await signedIn('alice', { app: false });
  const { channel, headers, close } = openClient(new URL(alice.url).host, {
    authorization: `Key ${alice.pat}`,
  });
  const { input, output } = V2.method.streamModelOutputs;
  const stream = channel.makeBidiStreamRequest(
    '/clarifai.api.V2/StreamModelOutputs',
    (request: MessageShape<typeof input>) => Buffer.from(toBinary(input, request)),
    (bytes: Buffer) => fromBinary(output, bytes),
    headers,
  );
  const replies: Reply[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('data', (reply: Reply) => replies.push(reply));
    stream.on('error', reject);
    stream.on('end', () => resolve());
  });
  for (const shade of [10, 200]) {
    stream.write(
      create(input, {
        userAppId: { userId: 'clarifai', appId: 'main' },
        modelId: 'color-recognition',
        inputs: [{ data: { image: { base64: tinyPng(shade) } } }],
      }),
    );
  }
  stream.end();
  await ended;
  close();
  expect(replies.map((reply) => reply.status?.code)).toEqual([10000, 10000]);
  const names = replies.map((reply) => reply.outputs[0]?.data?.colors[0]?.w3c?.name);
  expect(new Set(names).size).toBe(2);
});

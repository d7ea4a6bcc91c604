import { expect, test } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { signedIn } from '#testing/people.ts';
import { canPrint, printedPng } from '#testing/text-picture.ts';

const ocr = 'optical-character-recognizer';
const print = ['Invoice 4711 from Anna Berg', 'Total amount due is 1,250.75'];
const fonts = await canPrint();

test.skipIf(!fonts)(
  'the platform’s reader answers regions of text, lines or words, the sure ones',
  async () => {
    const alice = await signedIn('alice');
    const inputs = [
      { data: { image: { base64: await printedPng(print) } } },
      { data: { image: { base64: tinyPng(200, 64) } } },
      { data: { image: { base64: new TextEncoder().encode('no picture') } } },
    ];
    const lines = await alice.client.postModelOutputs({ modelId: ocr, inputs });
    expect(lines.status?.code).toBe(10010);
    expect(lines.outputs.map((one) => one.status?.code)).toEqual([10000, 10000, expect.any(Number)]);
    const regions = lines.outputs[0]?.data?.regions ?? [];
    const byRow = [...regions].sort(
      (a, b) => (a.regionInfo?.boundingBox?.topRow ?? 0) - (b.regionInfo?.boundingBox?.topRow ?? 0),
    );
    expect(byRow.map((one) => one.data?.text?.raw)).toEqual(print);
    expect(regions.every(({ value }) => value > 0.8)).toBe(true);
    expect(lines.outputs[1]?.data?.regions).toEqual([]);
    const words = await alice.client.postModelOutputs({
      modelId: ocr,
      inputs: inputs.slice(0, 1),
      model: { modelVersion: { outputInfo: { params: { level: 'word' } } } },
    });
    const read = words.outputs[0]?.data?.regions.map((one) => one.data?.text?.raw) ?? [];
    expect([...read].sort()).toEqual(print.join(' ').split(' ').sort());
    const nothing = await alice.client.postModelOutputs({
      modelId: ocr,
      inputs: [{ data: { text: { raw: 'a text' } } }],
    });
    expect(nothing.status?.code).toBe(21202);
  },
  60_000,
);

test.skipIf(!fonts)(
  'text that was read goes on to operators on text, and inputs are found by what is written in them',
  async () => {
    const alice = await signedIn('alice');
    const own = async (id: string, modelTypeId: string, params: object, concepts: { id: string }[] = []) => {
      const made = await alice.client.postModels({
        models: [
          { id, modelTypeId, outputInfo: { params: params as Record<string, never>, data: { concepts } } },
        ],
      });
      expect(made.status?.code, made.status?.details).toBe(10000);
      return { id };
    };
    await own('join', 'text-aggregation-operator', {});
    await own('bills', 'regex-based-classifier', { regex: '(?i)invoice \\d+' }, [{ id: 'bill' }]);
    await own('tongue', 'language-id-operator', {});
    await own('writer', 'annotation-writer', { annotation_status: 'ANNOTATION_PENDING' });
    const reader = { id: ocr, userId: 'clarifai', appId: 'main' };
    const posted = await alice.client.postWorkflows({
      workflows: [
        {
          id: 'read',
          nodes: [
            { id: 'ocr', model: reader },
            { id: 'whole', model: { id: 'join' }, nodeInputs: [{ nodeId: 'ocr' }] },
            { id: 'kind', model: { id: 'bills' }, nodeInputs: [{ nodeId: 'whole' }] },
            { id: 'language', model: { id: 'tongue' }, nodeInputs: [{ nodeId: 'whole' }] },
            { id: 'write', model: { id: 'writer' }, nodeInputs: [{ nodeId: 'ocr' }] },
          ],
        },
      ],
    });
    expect(posted.status?.code, posted.status?.details).toBe(10000);
    const image = { image: { base64: await printedPng(print) } };
    const { results } = await alice.client.postWorkflowResults({
      workflowId: 'read',
      inputs: [{ data: image }],
    });
    const data = results[0]?.outputs.map((one) => one.data);
    expect(data?.[1]?.text?.raw).toBe(print.join('\n'));
    expect(data?.[2]?.concepts).toMatchObject([{ id: 'bill', value: 1 }]);
    expect(data?.[3]?.concepts[0]?.id).toBe('en');

    const patched = await alice.client.patchApp({
      app: { id: alice.appId, defaultWorkflow: { id: 'read', appId: alice.appId, userId: alice.userId } },
      action: 'overwrite',
    });
    expect(patched.status?.code, patched.status?.details).toBe(10000);
    await alice.client.postInputs({
      inputs: [
        { id: 'bill', data: image },
        { id: 'blank', data: { image: { base64: tinyPng(250, 64) } } },
      ],
    });
    const find = async (raw: string) =>
      (
        await alice.client.postInputsSearches({
          searches: [{ query: { ranks: [{ annotation: { data: { text: { raw } } } }] } }],
        })
      ).hits.map((hit) => hit.input?.id);
    await expect.poll(() => find('invoice 4711'), { timeout: 60_000, interval: 300 }).toEqual(['bill']);
    expect(await find('amount due')).toEqual(['bill']);
    expect(await find('zebra')).toEqual([]);
    const { annotations } = await alice.client.listAnnotations({
      inputIds: ['bill'],
      listAllAnnotations: true,
    });
    const written = annotations.filter((one) => one.status?.code === 24151);
    expect(written.map((one) => one.data?.regions[0]?.data?.text?.raw).sort()).toEqual([...print].sort());
  },
  120_000,
);

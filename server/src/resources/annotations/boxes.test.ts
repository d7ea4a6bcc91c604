import { create, toBinary } from '@bufbuild/protobuf';
import { DataSchema } from '@fovea/contract';
import { expect, test } from 'vitest';
import { packBox } from './boxes.ts';

const place = { left: 0.25, top: 0, right: 1, bottom: 0.1 };
const said = { id: 'a', inputId: 'i', annotationInfo: undefined, ...place };
const message = (concepts: { id: string; value: number }[]) =>
  toBinary(
    DataSchema,
    create(DataSchema, {
      regions: [
        {
          id: 'r',
          regionInfo: { boundingBox: { leftCol: 0.25, topRow: 0, rightCol: 1, bottomRow: 0.1 } },
          data: { concepts },
        },
      ],
    }),
  );

test.each([
  ['a label', { id: 'chat noir — 猫', name: 'anything' }, [{ id: 'chat noir — 猫', value: 1 }]],
  ['none', undefined, []],
  ['a long one', { id: 'x'.repeat(250), name: '' }, [{ id: 'x'.repeat(250), value: 1 }]],
])('a box is packed as the message would be, with %s', (_, concept, concepts) => {
  expect(Buffer.from(packBox({ ...said, concept }, 'r'))).toEqual(Buffer.from(message(concepts)));
});

import { expect, test } from 'vitest';
import { methodRules } from './index.ts';

const contract = methodRules.filter((rule) => !rule.beyondContract);

test('the contract is 298 RPCs and 511 REST paths', () => {
  expect(contract).toHaveLength(298);
  expect(contract.flatMap((rule) => rule.bindings)).toHaveLength(511);
});

import { create } from '@bufbuild/protobuf';
import { DataSchema, type Region } from '@fovea/contract';
import type { Operator } from './settings.ts';

/** What is written in a region: its own text, or what was read in parts of it. */
const textOf = ({ data }: Region): string => data?.text?.raw || joinTexts(data?.regions ?? []);

/** Reading order: lines from top to bottom, words of a line from left to right. */
function joinTexts(regions: readonly Region[]): string {
  const box = (region: Region) => region.regionInfo?.boundingBox;
  const found = regions.filter((region) => textOf(region) !== '');
  const byRow = [...found].sort((a, b) => (box(a)?.topRow ?? 0) - (box(b)?.topRow ?? 0));
  const lines: Region[][] = [];
  for (const region of byRow) {
    const line = lines.at(-1);
    const first = line?.[0] && box(line[0]);
    const middle = ((box(region)?.topRow ?? 0) + (box(region)?.bottomRow ?? 0)) / 2;
    if (line && first && middle < first.bottomRow) line.push(region);
    else lines.push([region]);
  }
  return lines
    .map((line) =>
      line
        .sort((a, b) => (box(a)?.leftCol ?? 0) - (box(b)?.leftCol ?? 0))
        .map(textOf)
        .join(' '),
    )
    .join('\n');
}

/** How many regions there are, and how many of each kind by its surest concept. */
export const countRegions: Operator = ({ data }) => {
  const counts: Record<string, number> = {};
  for (const region of data.regions) {
    const concepts = [...(region.data?.concepts ?? [])].sort((a, b) => b.value - a.value);
    const name = concepts[0]?.name || concepts[0]?.id;
    if (name) counts[name] = (counts[name] ?? 0) + 1;
  }
  return create(DataSchema, { metadata: { object_count: data.regions.length, counts } });
};

export const aggregateTexts: Operator = ({ data }) =>
  create(DataSchema, { text: { raw: joinTexts(data.regions) } });

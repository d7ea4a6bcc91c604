import { dot, fill, h, hueOf } from './dom.ts';
import { type Color, type Concept, conceptName, type Model, type Output, type Region } from './wire.ts';

const barsMax = 20;
const pointsMax = 600;

/** Shows an output: bars for concepts, boxes and points over the picture, swatches for colours. */
export function showOutput(parts: {
  output: Output;
  stage: HTMLElement;
  said: HTMLElement;
  model: Model;
  ms: number;
}): void {
  const { output, stage, said, model, ms } = parts;
  const { concepts = [], regions = [], colors = [], embeddings = [] } = output.data ?? {};
  const heading = h('p', { class: 'quiet small' }, `${model.name || model.id} · ${Math.round(ms)} ms`);
  const nothing = concepts.length + regions.length + colors.length + embeddings.length === 0;
  fill(
    said,
    heading,
    nothing && h('p', {}, 'The model sees nothing that it knows in this picture.'),
    concepts.length > 0 && h('ul', { class: 'plain bars' }, concepts.slice(0, barsMax).map(bar)),
    regions.length > 0 && drawRegions(regions, stage),
    colors.length > 0 && h('ul', { class: 'plain swatches' }, colors.map(swatch)),
    embeddings.length > 0 && embeddingWords(embeddings[0]?.vector ?? []),
  );
}

function bar(concept: Concept): HTMLElement {
  const value = concept.value ?? 0;
  const fillUp = h('span', { class: 'bar', 'aria-hidden': 'true' });
  fillUp.style.setProperty('--share', String(value));
  return h(
    'li',
    {},
    h(
      'span',
      { class: 'row' },
      dot(concept.id),
      h('span', { class: 'grow cut' }, conceptName(concept)),
      h('strong', {}, value.toFixed(3)),
    ),
    fillUp,
  );
}

function swatch({ raw_hex: hex = '#000000', w3c, value = 0 }: Color): HTMLElement {
  const patch = h('span', { class: 'swatch', 'aria-hidden': 'true' });
  patch.style.backgroundColor = hex;
  return h(
    'li',
    {},
    patch,
    h('span', { class: 'grow' }, w3c?.name ?? hex, h('code', {}, hex)),
    h('strong', {}, `${Math.round(value * 100)} %`),
  );
}

function embeddingWords(vector: readonly number[]): HTMLElement {
  const some = vector.slice(0, 8).map((number) => number.toFixed(3));
  return h('p', {}, `${vector.length} numbers: `, h('code', {}, `${some.join(', ')}, …`));
}

/** Boxes over the picture and a list beside it; pointing at one shows the other. */
function drawRegions(regions: readonly Region[], stage: HTMLElement): HTMLElement {
  const overlay = h('div', { class: 'overlay', 'aria-hidden': 'true' });
  const list = h('ul', { class: 'plain regions' });
  for (const region of regions) {
    const [surest] = region.data?.concepts ?? [];
    const name = surest ? conceptName(surest) : 'face or shape';
    const value = surest?.value ?? region.value ?? 0;
    const box = boxOf(region, name, value);
    const row = h(
      'li',
      { class: 'row' },
      dot(surest?.id ?? name),
      h('span', { class: 'grow cut' }, name),
      h('strong', {}, value.toFixed(3)),
    );
    const light = (isOn: boolean) => () => {
      box?.classList.toggle('lit', isOn);
      row.classList.toggle('lit', isOn);
    };
    for (const part of [box, row]) {
      part?.addEventListener('pointerenter', light(true));
      part?.addEventListener('pointerleave', light(false));
    }
    if (box) overlay.append(box);
    for (const { row: top = 0, col: left = 0 } of (region.region_info?.keypoint_locations ?? []).slice(
      0,
      pointsMax,
    )) {
      const point = h('span', { class: 'point' });
      place(point, { top, left });
      overlay.append(point);
    }
    list.append(row);
  }
  stage.append(overlay);
  return list;
}

function boxOf(region: Region, name: string, value: number): HTMLElement | undefined {
  const box = region.region_info?.bounding_box;
  if (!box) return undefined;
  const id = region.data?.concepts?.[0]?.id ?? name;
  const made = h('div', { class: 'box' }, h('span', {}, `${name} ${value.toFixed(2)}`));
  made.style.setProperty('--hue', String(Math.round(hueOf(id))));
  place(made, {
    top: box.top_row,
    left: box.left_col,
    height: box.bottom_row - box.top_row,
    width: box.right_col - box.left_col,
  });
  return made;
}

/** Fractions of the picture, as the contract gives them. */
function place(
  element: HTMLElement,
  fractions: { top: number; left: number; height?: number; width?: number },
): void {
  for (const [name, fraction] of Object.entries(fractions))
    element.style.setProperty(name, `${fraction * 100}%`);
}

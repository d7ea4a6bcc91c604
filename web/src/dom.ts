type Child = Node | string | number | undefined | null | false;

export interface Props {
  readonly [name: string]: unknown;
  readonly class?: string;
  readonly on?: Readonly<Record<string, (event: never) => unknown>>;
}

/**
 * Makes an element. Strings become text, never markup; `on` adds listeners; true and false set and leave out
 * an attribute; names in camelCase that the element knows are set as properties.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: (Child | readonly Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setProps(element, props);
  append(element, children);
  return element;
}

export function setProps(element: HTMLElement, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === 'on') {
      for (const [event, listener] of Object.entries(props.on ?? {})) {
        element.addEventListener(event, listener as EventListener);
      }
    } else if (name === 'class') element.className = String(value);
    else if (propertyNames.has(name)) (element as unknown as Record<string, unknown>)[name] = value;
    else if (value === false && !name.startsWith('aria-')) element.removeAttribute(name);
    else element.setAttribute(name, value === true && !name.startsWith('aria-') ? '' : String(value));
  }
}

const propertyNames = new Set([
  'value',
  'checked',
  'disabled',
  'tabIndex',
  'htmlFor',
  'indeterminate',
  'multiple',
  'hidden',
]);

function append(element: Element, children: readonly (Child | readonly Child[])[]): void {
  for (const child of children.flat() as Child[]) {
    if (child === undefined || child === null || child === false) continue;
    element.append(typeof child === 'number' ? String(child) : child);
  }
}

/** Puts new content in place of the old. */
export function fill(element: Element, ...children: (Child | readonly Child[])[]): void {
  element.replaceChildren();
  append(element, children);
}

const shapes: Readonly<Record<string, string>> = {
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5 12 5 5',
  picture: 'M4 5h16v14H4ZM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  trash: 'M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5',
  upload: 'M12 16V4M7 9l5-5 5 5M4 16v4h16v-4',
  code: 'M8 7l-5 5 5 5M16 7l5 5-5 5',
  copy: 'M9 9h11v11H9ZM5 15H4V4h11v1',
  tag: 'M4 4h8l8 8-8 8-8-8ZM8.5 8.5h.01',
  train: 'M4 20V10M10 20V4M16 20v-7M21 20H3',
  try: 'M5 4l14 8-14 8Z',
  alike: 'M4 4h9v9H4ZM11 11h9v9h-9Z',
  warn: 'M12 4 2.5 20h19ZM12 10v4M12 17h.01',
  theme: 'M12 3a9 9 0 1 0 0 18ZM12 3a9 9 0 0 1 0 18',
  folder: 'M3 6h7l2 2h9v11H3Z',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
  down: 'M6 9l6 6 6-6',
  book: 'M5 4h14v16H7a2 2 0 0 1-2-2ZM5 18a2 2 0 0 1 2-2h12',
  out: 'M10 4H4v16h6M9 12h11M16 8l4 4-4 4',
  keys: 'M3 6h18v12H3ZM7 10h.01M11 10h.01M15 10h.01M8 14h8',
};

/** A small line drawing; says nothing to screen readers. */
export function icon(name: string): SVGSVGElement {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', shapes[name] ?? '');
  svg.append(path);
  return svg;
}

/** A button with a picture only; its label is read aloud and shown as a hint. */
export function iconButton(
  name: string,
  label: string,
  press: (event: MouseEvent) => unknown,
  more: Props = {},
): HTMLButtonElement {
  return h(
    'button',
    {
      type: 'button',
      'aria-label': label,
      title: label,
      ...more,
      class: `ghost square ${more.class ?? ''}`,
      on: { click: press },
    },
    icon(name),
  );
}

export const byLocale = new Intl.NumberFormat();
export const count = (number: number, one: string, many = `${one}s`): string =>
  `${byLocale.format(number)} ${number === 1 ? one : many}`;

/** A colour of a concept: the same wherever it is shown. Colour never says anything alone. */
export function hueOf(id: string): number {
  let hash = 2166136261;
  for (const character of id) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619);
  return (((hash >>> 0) * 0.618033988749895) % 1) * 360;
}

export function dot(conceptId: string): HTMLElement {
  const made = h('span', { class: 'dot', 'aria-hidden': 'true' });
  made.style.setProperty('--hue', String(Math.round(hueOf(conceptId))));
  return made;
}

import { type SaxesAttributePlain, SaxesParser } from 'saxes';

/**
 * XML as a small tree, for files whose elements are all about one picture. A document type is refused: entities are
 * how XML is made to explode or to read other files, and no annotation tool needs them.
 */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  readonly text: string;
  readonly line: number;
}

export class XmlBroken extends Error {
  override name = 'XmlBroken';
}

type Open = {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
  text: string;
  line: number;
};

const depthMax = 100;

export function parseXml(text: string): XmlElement {
  const reader = new XmlReader(0);
  reader.push(text);
  reader.end();
  const [root] = reader.take();
  if (!root) throw new XmlBroken('there is no element in the file');
  return root;
}

/** Reads XML piece by piece; hands out the elements that lie at one depth, 0 being the outermost one. */
export class XmlReader {
  private readonly parser = new SaxesParser({ position: true });
  private readonly open: Open[] = [];
  private ready: XmlElement[] = [];

  constructor(depth: number) {
    this.parser.on('doctype', () => {
      throw new XmlBroken('the file declares a document type; such files are not read');
    });
    this.parser.on('error', (error) => {
      throw new XmlBroken(error.message);
    });
    this.parser.on('opentag', ({ name, attributes }) => {
      if (this.open.length >= depthMax) throw new XmlBroken(`elements are nested more than ${depthMax} deep`);
      this.open.push({
        name,
        attributes: attributes as Record<string, SaxesAttributePlain & string>,
        children: [],
        text: '',
        line: this.parser.line,
      });
    });
    const addText = (text: string) => {
      const top = this.open.at(-1);
      if (top) top.text += text;
    };
    this.parser.on('text', addText);
    this.parser.on('cdata', addText);
    this.parser.on('closetag', () => {
      const done = this.open.pop() as Open;
      if (this.open.length === depth) this.ready.push(done);
      else if (this.open.length > depth) this.open.at(-1)?.children.push(done);
    });
  }

  push(text: string): void {
    this.parser.write(text);
  }

  end(): void {
    this.parser.close();
  }

  take(): XmlElement[] {
    const ready = this.ready;
    this.ready = [];
    return ready;
  }
}

/** The elements at one depth of a file of any size, one after the other. */
export async function* scanXml(chunks: AsyncIterable<Uint8Array>, depth: number): AsyncGenerator<XmlElement> {
  const reader = new XmlReader(depth);
  const decoder = new TextDecoder('utf-8');
  for await (const chunk of chunks) {
    reader.push(decoder.decode(chunk, { stream: true }));
    yield* reader.take();
  }
  reader.push(decoder.decode());
  reader.end();
  yield* reader.take();
}

export const childrenOf = (element: XmlElement, name: string): XmlElement[] =>
  element.children.filter((child) => child.name === name);

export const childOf = (element: XmlElement | undefined, name: string): XmlElement | undefined =>
  element?.children.find((child) => child.name === name);

/** Text of a child element, without the space around it. */
export const childText = (element: XmlElement | undefined, name: string): string | undefined =>
  childOf(element, name)?.text.trim();

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
};

/** Text for XML; what XML cannot say at all (other control characters) is left out. */
export const escapeXml = (text: string): string =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replace(/[&<>"\n\r\t]/g, (found) => escapes[found] as string);

/** `name="value"` for each attribute that has a value. */
const attributesText = (attributes: Readonly<Record<string, string | number | undefined>>): string =>
  Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}="${escapeXml(String(value))}"`)
    .join('');

/** An element as text, with what lies in it: text, or elements already written. */
export function xml(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  ...inside: readonly string[]
): string {
  const body = inside.join('');
  return body === ''
    ? `<${name}${attributesText(attributes)}/>`
    : `<${name}${attributesText(attributes)}>${body}</${name}>`;
}

/** A leaf with text in it. */
export const leaf = (name: string, value: string | number): string =>
  `<${name}>${escapeXml(String(value))}</${name}>`;

import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ProtoField, ProtoFile, ProtoTrouble } from './proto-file.ts';

/** One input or output of a network as its file declares it; free dimensions are -1. */
export interface DeclaredPort {
  readonly name: string;
  /** Number of the element type in onnx.proto3. */
  readonly elementType: number;
  readonly dims: readonly number[];
}

/** What an ONNX file says of itself, read without running or even loading it. */
export interface OnnxFacts {
  readonly opset: number;
  readonly irVersion: number;
  readonly producer: string;
  readonly nodeCount: number;
  readonly operators: readonly string[];
  readonly inputs: readonly DeclaredPort[];
  readonly outputs: readonly DeclaredPort[];
  /** Bytes of all weights, in the file and beside it. */
  readonly weightBytes: number;
  /** Names of files in the same folder that hold weights. */
  readonly externalFiles: readonly string[];
}

/** Why a file is refused, in words for its owner. */
export class OnnxRefused extends Error {}

const fileBytesMax = 2 ** 31 - 1;
const nodesMax = 200_000;
const nestingMax = 16;
const elementsMax = 2 ** 31;
const opsetMax = 24;
/** The standard's own, its classical-learning part, and what ONNX Runtime ships; all else would need code of others. */
const knownDomains = new Set(['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft']);

/** Bytes of one element, by the number of its type; 0 where a value takes less than one byte or has no fixed size. */
const elementBytes: Readonly<Record<number, number>> = {
  1: 4,
  2: 1,
  3: 1,
  4: 2,
  5: 2,
  6: 4,
  7: 8,
  8: 0,
  9: 1,
  10: 2,
  11: 8,
  12: 4,
  13: 8,
  14: 8,
  15: 16,
  16: 2,
};

export const elementNames: Readonly<Record<number, string>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  8: 'string',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
  16: 'bfloat16',
};

interface Found {
  nodeCount: number;
  weightBytes: number;
  readonly operators: Set<string>;
  readonly externalFiles: Set<string>;
}

/**
 * Looks through an ONNX file: its version, operators, inputs, outputs, and where its weights lie.
 *
 * @param path a plain file; weights may lie beside it
 * @throws OnnxRefused for what is no ONNX file, needs code of others, or reaches outside its folder
 */
export function readOnnxFacts(path: string): OnnxFacts {
  const facts = lstatSync(path);
  if (!facts.isFile()) throw new OnnxRefused('the model is not a plain file');
  if (facts.size > fileBytesMax)
    throw new OnnxRefused(
      'the model file is larger than 2 GiB; keep weights in an external data file beside it',
    );
  const file = new ProtoFile(path);
  try {
    refuseByMagic(file);
    return readModel(file, dirname(path));
  } catch (error) {
    if (error instanceof ProtoTrouble)
      throw new OnnxRefused(`this is no ONNX file, or it is damaged: ${error.message}`);
    throw error;
  } finally {
    file.close();
  }
}

/** Formats that are often sent in place of ONNX; some of them run code when they are read, so they never are. */
function refuseByMagic(file: ProtoFile): void {
  const head = file.bytes(0, Math.min(16, file.size));
  const kind = foreignKind(head);
  if (kind)
    throw new OnnxRefused(
      `this is ${kind}, not an ONNX file; export the model to ONNX first. It is never opened here`,
    );
}

/** What bytes are that are no ONNX file; undefined where they may be one. */
export function foreignKind(head: Buffer): string | undefined {
  const text = head.toString('latin1');
  if (head.length === 0) return 'an empty file';
  if (head[0] === 0x80 && (head[1] ?? 0) <= 5) return 'a Python pickle';
  if (text.startsWith('PK')) return 'a ZIP archive (PyTorch, Keras and NumPy files are such)';
  if (text.startsWith('\x89HDF')) return 'an HDF5 file (Keras)';
  if (text.startsWith('\x93NUMPY')) return 'a NumPy array';
  if (text.slice(4, 8) === 'TFL3') return 'a TensorFlow Lite file';
  if (text.startsWith('GGUF')) return 'a GGUF file';
  if (text.startsWith('version https://git-lfs')) return 'a pointer of Git LFS in place of the file itself';
  if (/^\s*[<{#]/.test(text)) return 'a text';
  return undefined;
}

function readModel(file: ProtoFile, folder: string): OnnxFacts {
  const found: Found = { nodeCount: 0, weightBytes: 0, operators: new Set(), externalFiles: new Set() };
  let opset = 0;
  let irVersion = 0;
  let producer = '';
  let graph: ProtoField | undefined;
  const functionDomains: string[] = [];
  for (const field of file.fields(0, file.size)) {
    if (field.number === 1) irVersion = field.value;
    else if (field.number === 2) producer = file.text(field, 65_536).slice(0, 100);
    else if (field.number === 7) {
      // Readers of protobuf put two of them together; what was looked at would not be what runs.
      if (graph) throw new OnnxRefused('the file holds two graphs');
      graph = field;
    } else if (field.number === 8) {
      const { domain, version } = readOpset(file, field);
      if (domain === '' || domain === 'ai.onnx') opset = version;
    } else if (field.number === 25) functionDomains.push(readFunction(file, field, folder, found));
  }
  if (graph?.wire !== 2) throw new OnnxRefused('this is no ONNX file: it holds no graph');
  if (irVersion < 3 || opset === 0) throw new OnnxRefused('the file names no version of the ONNX operators');
  if (opset > opsetMax)
    throw new OnnxRefused(
      `the file needs version ${opset} of the ONNX operators; up to ${opsetMax} is supported`,
    );
  const { inputs, outputs, weights } = readGraph(file, graph, folder, found, 0);
  for (const operator of found.operators) {
    const domain = operator.includes('::') ? (operator.split('::')[0] as string) : '';
    if (!knownDomains.has(domain) && !functionDomains.includes(domain))
      throw new OnnxRefused(
        `the operator ${operator} is none of ONNX; code that is not part of this server is never loaded`,
      );
  }
  return {
    opset,
    irVersion,
    producer,
    nodeCount: found.nodeCount,
    operators: [...found.operators].sort(),
    // Older files list weights among the inputs.
    inputs: inputs.filter((port) => !weights.has(port.name)),
    outputs,
    weightBytes: found.weightBytes,
    externalFiles: [...found.externalFiles].sort(),
  };
}

function readOpset(file: ProtoFile, at: ProtoField) {
  let domain = '';
  let version = 0;
  for (const field of file.fields(at.start, at.end)) {
    if (field.number === 1) domain = file.text(field);
    else if (field.number === 2) version = field.value;
  }
  return { domain, version };
}

/** A function that the file defines from operators. @returns its domain */
function readFunction(file: ProtoFile, at: ProtoField, folder: string, found: Found): string {
  let domain = '';
  for (const field of file.fields(at.start, at.end)) {
    if (field.number === 7) readNode(file, field, folder, found, 1);
    else if (field.number === 10) domain = file.text(field);
  }
  return domain;
}

function readGraph(file: ProtoFile, at: ProtoField, folder: string, found: Found, depth: number) {
  if (depth > nestingMax) throw new OnnxRefused(`graphs lie more than ${nestingMax} deep in one another`);
  const inputs: DeclaredPort[] = [];
  const outputs: DeclaredPort[] = [];
  const weights = new Set<string>();
  for (const field of file.fields(at.start, at.end)) {
    if (field.number === 1) readNode(file, field, folder, found, depth);
    else if (field.number === 5) weights.add(readTensor(file, field, folder, found));
    else if (field.number === 11) inputs.push(readPort(file, field));
    else if (field.number === 12) outputs.push(readPort(file, field));
    else if (field.number === 15) weights.add(readSparse(file, field, folder, found));
  }
  return { inputs, outputs, weights };
}

function readNode(file: ProtoFile, at: ProtoField, folder: string, found: Found, depth: number): void {
  found.nodeCount += 1;
  if (found.nodeCount > nodesMax) throw new OnnxRefused(`the network has more than ${nodesMax} operators`);
  let operator = '';
  let domain = '';
  for (const field of file.fields(at.start, at.end)) {
    if (field.number === 4) operator = file.text(field);
    else if (field.number === 7) domain = file.text(field);
    else if (field.number === 5) readAttribute(file, field, folder, found, depth);
  }
  found.operators.add(domain === '' ? operator : `${domain}::${operator}`);
}

/** Attributes may hold tensors and whole graphs (of If, Loop, Scan). */
function readAttribute(file: ProtoFile, at: ProtoField, folder: string, found: Found, depth: number): void {
  for (const field of file.fields(at.start, at.end)) {
    if (field.wire !== 2) continue;
    if (field.number === 5 || field.number === 10) readTensor(file, field, folder, found);
    else if (field.number === 6 || field.number === 11) readGraph(file, field, folder, found, depth + 1);
    else if (field.number === 22 || field.number === 23) readSparse(file, field, folder, found);
  }
}

/** Weights of which most are nothing: two tensors, the values and where they go. @returns the name of the values */
function readSparse(file: ProtoFile, at: ProtoField, folder: string, found: Found): string {
  let name = '';
  for (const field of file.fields(at.start, at.end)) {
    if (field.number === 1) name = readTensor(file, field, folder, found);
    else if (field.number === 2) readTensor(file, field, folder, found);
  }
  return name;
}

/** Checks one tensor of weights. @returns its name */
function readTensor(file: ProtoFile, at: ProtoField, folder: string, found: Found): string {
  const dims: number[] = [];
  const external = new Map<string, string>();
  let name = '';
  let type = 0;
  let rawBytes = -1;
  let isExternal = false;
  for (const field of file.fields(at.start, at.end)) {
    if (field.number === 1) dims.push(...file.ints(field));
    else if (field.number === 2) type = field.value;
    else if (field.number === 8) name = file.text(field);
    else if (field.number === 9) rawBytes = field.end - field.start;
    else if (field.number === 14) isExternal = field.value === 1;
    else if (field.number === 13) external.set(...readPair(file, field));
  }
  const count = dims.reduce((product, size) => product * size, 1);
  if (dims.some((size) => size < 0) || !(count <= elementsMax))
    throw new OnnxRefused(`the weights '${name}' have impossible dimensions (${dims.join(' x ')})`);
  const bytes = count * (elementBytes[type] ?? 0);
  if (rawBytes >= 0 && bytes > 0 && rawBytes !== bytes)
    throw new OnnxRefused(`the weights '${name}' should have ${bytes} bytes and have ${rawBytes}`);
  if (isExternal || external.size > 0)
    found.weightBytes += checkExternal(name, external, bytes, folder, found);
  else found.weightBytes += at.end - at.start;
  return name;
}

function readPair(file: ProtoFile, at: ProtoField): [string, string] {
  let [key, value] = ['', ''];
  for (const field of file.fields(at.start, at.end)) {
    if (field.number === 1) key = file.text(field);
    else if (field.number === 2) value = file.text(field);
  }
  return [key, value];
}

/** Weights beside the file: in a plain file of the same folder, and inside of it. @returns how many bytes */
function checkExternal(
  name: string,
  external: ReadonlyMap<string, string>,
  bytes: number,
  folder: string,
  found: Found,
): number {
  const location = (external.get('location') ?? '').replace(/^\.\//, '');
  if (!/^[\w][\w.-]*$/.test(location))
    throw new OnnxRefused(
      `the weights '${name}' lie outside of the package ('${location.slice(0, 100)}'); only files beside the model are read`,
    );
  const facts = lstatSync(join(folder, location), { throwIfNoEntry: false });
  if (!facts) throw new OnnxRefused(`the file '${location}', which holds weights, is not in the package`);
  if (!facts.isFile() || facts.nlink > 1)
    throw new OnnxRefused(`the file '${location}', which holds weights, is a link`);
  const offset = Number(external.get('offset') ?? 0);
  const length = Number(external.get('length') ?? bytes);
  if (!(offset >= 0 && length >= 0 && offset + length <= facts.size))
    throw new OnnxRefused(`the weights '${name}' lie beyond the end of '${location}'`);
  found.externalFiles.add(location);
  return length;
}

function readPort(file: ProtoFile, at: ProtoField): DeclaredPort {
  let name = '';
  let elementType = 0;
  const dims: number[] = [];
  const inside = (field: ProtoField) => file.fields(field.start, field.end);
  for (const field of inside(at)) {
    if (field.number === 1) name = file.text(field);
    if (field.number !== 2) continue;
    for (const type of inside(field)) {
      if (type.number !== 1) continue;
      for (const tensor of inside(type)) {
        if (tensor.number === 1) elementType = tensor.value;
        if (tensor.number !== 2) continue;
        for (const dim of inside(tensor)) {
          if (dim.number !== 1) continue;
          const [size] = [...inside(dim)].filter((one) => one.number === 1);
          dims.push(size && size.value > 0 ? size.value : -1);
        }
      }
    }
  }
  return { name, elementType, dims };
}

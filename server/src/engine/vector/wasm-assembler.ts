/**
 * Writes small WebAssembly modules with SIMD, byte by byte, so that the fast kernels need no compiler.
 *
 * A function body is a flat list of bytes put together from the instructions in `op`. Names and codes:
 * WebAssembly core specification 2.0, binary format, and its fixed-width SIMD instructions.
 */
export type Code = readonly number[];

/** Unsigned LEB128. */
const unsigned = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? byte : byte | 0x80);
  } while (rest !== 0);
  return bytes;
};

/** Signed LEB128 of a 32-bit integer. */
const signed = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0);
    bytes.push(done ? byte : byte | 0x80);
    if (done) return bytes;
  }
};

const floatBytes = (value: number): number[] => [...new Uint8Array(new Float32Array([value]).buffer)];
const simd = (opcode: number, ...rest: number[]): Code => [0xfd, ...unsigned(opcode), ...rest];

export const code = (...parts: Code[]): Code => parts.flat();

export const op = {
  get: (local: number): Code => [0x20, ...unsigned(local)],
  set: (local: number): Code => [0x21, ...unsigned(local)],
  tee: (local: number): Code => [0x22, ...unsigned(local)],
  /** Runs the body at least once; `again` inside jumps back to its start while the top of the stack is not 0. */
  loop: (...body: Code[]): Code => [0x03, 0x40, ...body.flat(), 0x0b],
  again: [0x0d, 0x00] as Code,
  /** Runs the body when the top of the stack is not 0. */
  when: (...body: Code[]): Code => [0x04, 0x40, ...body.flat(), 0x0b],
  drop: [0x1a] as Code,
  i32: (value: number): Code => [0x41, ...signed(value)],
  i32Load: (offset = 0): Code => [0x28, 2, ...unsigned(offset)],
  i32Add: [0x6a] as Code,
  i32Sub: [0x6b] as Code,
  i32LessUnsigned: [0x49] as Code,
  f32Store: (offset = 0): Code => [0x38, 2, ...unsigned(offset)],
  f32Load: (offset = 0): Code => [0x2a, 2, ...unsigned(offset)],
  f32Add: [0x92] as Code,
  f32Div: [0x95] as Code,
  f32Max: [0x97] as Code,
  load: (offset = 0): Code => simd(0x00, 2, ...unsigned(offset)),
  /** Eight signed bytes, each as 16 bits. */
  loadWidened: (offset = 0): Code => simd(0x01, 3, ...unsigned(offset)),
  loadSplat: (offset = 0): Code => simd(0x09, 2, ...unsigned(offset)),
  store: (offset = 0): Code => simd(0x0b, 2, ...unsigned(offset)),
  /** Four copies of one float. */
  constant: (value: number): Code => simd(0x0c, ...[value, value, value, value].flatMap(floatBytes)),
  splat: simd(0x13),
  lane: (index: number): Code => simd(0x1f, index),
  sqrt: simd(0xe3),
  add: simd(0xe4),
  sub: simd(0xe5),
  mul: simd(0xe6),
  div: simd(0xe7),
  min: simd(0xe8),
  max: simd(0xe9),
  nearest: simd(0x6a),
  toInt: simd(0xf8),
  fromInt: simd(0xfa),
  intAdd: simd(0xae),
  /** Products of eight pairs of 16 bits, added two by two to four of 32. */
  shortDot: simd(0xba),
  intShiftLeft: simd(0xab),
  intConstant: (value: number): Code =>
    simd(
      0x0c,
      ...[value, value, value, value].flatMap((v) => [...new Uint8Array(new Int32Array([v]).buffer)]),
    ),
} as const;

const valueTypes = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;
export type ValueType = keyof typeof valueTypes;

/** A function without result: parameters first, then locals, numbered in that order; all locals start at 0. */
export interface KernelFunction {
  name: string;
  params: ValueType[];
  locals: ValueType[];
  body: Code;
}

const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
const vector = (items: Code[]): Code => [...unsigned(items.length), ...items.flat()];
const text = (value: string): Code => vector([...value].map((c) => [c.charCodeAt(0)]));

/**
 * @param shared whether the imported memory `env.memory` is shared between threads
 * @param pagesMax the memory's declared maximum in 64 KiB pages; the memory given must not declare more
 */
export function assemble(
  functions: KernelFunction[],
  shared: boolean,
  pagesMax: number,
): Uint8Array<ArrayBuffer> {
  const types = functions.map((f) => [0x60, ...vector(f.params.map((p) => [valueTypes[p]])), 0]);
  const memory = [...text('env'), ...text('memory'), 0x02, shared ? 0x03 : 0x01, 0, ...unsigned(pagesMax)];
  const bodies = functions.map((f) => {
    const locals = vector(f.locals.map((type) => [1, valueTypes[type]]));
    const content = [...locals, ...f.body, 0x0b];
    return [...unsigned(content.length), ...content];
  });
  return new Uint8Array([
    0x00,
    0x61,
    0x73,
    0x6d,
    0x01,
    0x00,
    0x00,
    0x00,
    ...section(1, vector(types)),
    ...section(2, vector([memory])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector(functions.map((f, index) => [...text(f.name), 0x00, ...unsigned(index)]))),
    ...section(10, vector(bodies)),
  ]);
}

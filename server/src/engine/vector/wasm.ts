/** The parts of the WebAssembly interface in use; Node's type package leaves them to the browser's. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** @returns the size before, in pages of 64 KiB */
  grow(pages: number): number;
}

export type WasmModule = object;

interface Interface {
  Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule;
  Instance: new (
    module: WasmModule,
    imports: { env: { memory: WasmMemory } },
  ) => { readonly exports: Record<string, (...args: number[]) => void> };
  Memory: new (descriptor: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
}

export const wasm = (globalThis as unknown as { WebAssembly: Interface }).WebAssembly;

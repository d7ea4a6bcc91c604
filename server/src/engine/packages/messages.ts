import type { Manifest, PackageLabel } from './manifest.ts';

/** A picture as the network's process gets it: RGB bytes at the plan's size, and where the picture lies in them. */
export interface GuestPicture {
  kind: 'picture';
  width: number;
  height: number;
  pixels: Uint8Array;
  /** In pixels of the whole. */
  frame: { left: number; top: number; width: number; height: number };
  /** Weaker finds are left out. */
  confidenceMin: number;
}

export interface GuestText {
  kind: 'text';
  text: string;
}

export type GuestItem = GuestPicture | GuestText;

export interface GuestBox {
  /** 0..1 of the picture. */
  top: number;
  left: number;
  bottom: number;
  right: number;
  label: number;
  score: number;
}

/** What a network said of one item. */
export type GuestAnswer =
  | { kind: 'scores'; scores: Float32Array }
  | { kind: 'boxes'; boxes: GuestBox[] }
  | { kind: 'vector'; vector: Float32Array }
  | { kind: 'map'; labels: Uint16Array; width: number; height: number };

export type GuestRequest =
  | {
      kind: 'inspect';
      id: number;
      folder: string;
      hint: { typeId: string; name: string };
      weightBytesMax: number;
    }
  | { kind: 'open'; id: number; folder: string }
  | { kind: 'run'; id: number; items: GuestItem[] };

export type ItemAnswer = { ok: true; answer: GuestAnswer } | { ok: false; reason: string };

export type GuestReply =
  | { kind: 'inspected'; id: number; manifest: Manifest; report: PackageReport; keep: string[] }
  /** The owner's fault, in words for the owner. */
  | { kind: 'refused'; id: number; reason: string }
  | { kind: 'opened'; id: number; canBatch: { picture: boolean; text: boolean } }
  | { kind: 'ran'; id: number; answers: ItemAnswer[] }
  | { kind: 'failed'; id: number; reason: string };

/** What was found in the networks of a package. */
export interface PackageReport {
  networks: {
    file: string;
    opset: number;
    producer: string;
    operators: number;
    weightBytes: number;
    inputs: string[];
    outputs: string[];
    /** Milliseconds of the trial run. */
    trialMs: number;
  }[];
  labels: PackageLabel[];
}

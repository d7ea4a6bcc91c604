import type { Arena } from './arena.ts';

/** What one attack did. */
export interface Outcome {
  /** Calls, connections or checks made. */
  readonly tried: number;
  /** One line for each that got through; empty is a pass. */
  readonly through: readonly string[];
  /** Facts worth showing beside the counts. */
  readonly note?: string;
  /** Why the machine does not allow a judgement; the attack is then neither passed nor failed. */
  readonly notJudged?: string;
}

export interface Attack {
  /** Goal it belongs to, such as `S1`. */
  readonly id: string;
  readonly name: string;
  run(arena: Arena): Promise<Outcome>;
  /**
   * The same judge before something that is broken on purpose: it must report at least one that got through.
   * Absent where nothing can be broken cheaply.
   */
  control?(arena: Arena): Promise<Outcome>;
}

/** Collects what got through, keeping the words short. */
export function ledger() {
  let tried = 0;
  const through: string[] = [];
  return {
    count: (n = 1) => {
      tried += n;
    },
    through: (line: string) => {
      through.push(line.replace(/\s+/g, ' ').slice(0, 240));
    },
    outcome: (more: Partial<Outcome> = {}): Outcome => ({ tried, through, ...more }),
    get tried() {
      return tried;
    },
    get throughCount() {
      return through.length;
    },
  };
}

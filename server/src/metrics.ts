import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** Prometheus metrics of this process. */
export function openMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const answered = new Counter({
    name: 'fovea_rpc_answered_total',
    help: 'Calls answered, by RPC and status code',
    labelNames: ['rpc', 'code'],
    registers: [registry],
  });
  const elapsed = new Histogram({
    name: 'fovea_rpc_seconds',
    help: 'Time to answer a call',
    labelNames: ['rpc'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  });
  const searched = new Counter({
    name: 'fovea_searches_total',
    help: 'Searches, by the way that the planner chose',
    labelNames: ['way'],
    registers: [registry],
  });
  const stages = new Histogram({
    name: 'fovea_search_stage_seconds',
    help: 'Time that searches spend, by stage',
    labelNames: ['stage'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  return {
    registry,
    /** @param ms milliseconds by stage */
    searched(way: string, ms: ReadonlyMap<string, number>) {
      searched.inc({ way });
      for (const [stage, each] of ms) stages.observe({ stage }, each / 1000);
    },
    answered(rpc: string, code: number, elapsedMs: number) {
      answered.inc({ rpc, code });
      elapsed.observe({ rpc }, elapsedMs / 1000);
    },
  };
}

export type Metrics = ReturnType<typeof openMetrics>;

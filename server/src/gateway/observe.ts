/** What the gateway needs of a logger; pino fits. Secrets never reach it: headers and bodies are not logged. */
export interface GatewayLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface GatewayMetrics {
  answered(rpc: string, code: number, elapsedMs: number): void;
}

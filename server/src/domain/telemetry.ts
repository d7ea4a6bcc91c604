/**
 * For the environment of a process that loads onnxruntime. From 1.29 on it reports to its maker which models are run, on
 * Linux and macOS too, unless this is set before it is loaded: then nothing is gathered, kept or sent (its pull request
 * 27379).
 */
export const withoutTelemetry = { ORT_DISABLE_TELEMETRY: '1' } as const;

import { create } from '@bufbuild/protobuf';
import {
  type Concept,
  type Data,
  type Input,
  type Output,
  OutputSchema,
  type PostModelOutputsRequest,
  type ServicePart,
  StatusCode,
  StatusSchema,
  timestampNow,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { commonFault } from '../common/faults.ts';
import { batchStatus, outcomeOf, status, statusOfFault } from '../common/status.ts';
import { bodyOfVersion, conceptNamesIn, mainGrant, readTrainedVersion, showModel } from '../models/index.ts';
import { answersOf, dataOf } from './backends/answer.ts';
import { backendMark } from './backends/backend.ts';
import type { RunDeps } from './deps.ts';
import { eachOf } from './each-of.ts';
import { predictionFault } from './faults.ts';
import { echoOf, openMedia } from './media.ts';
import { checkSelected, type OutputSettings, overridesOf, readSettings } from './output-config.ts';
import { predictWith, type RunModelOptions, type Runnable } from './run-model.ts';
import { checkSelector } from './selector.ts';

const inputsMax = 128;
/** Inputs of one call under way at a time: enough to keep every core busy while others download. */
const inputsAtOnce = 8;

type Rpc = 'postModelOutputs' | 'generateModelOutputs' | 'streamModelOutputs';

export function predictionHandlers(deps: RunDeps): ServicePart<Call, Rpc> {
  return {
    /** One output for each input, in order. A bad input fails alone; a bad model fails the call. */
    async postModelOutputs(req, call) {
      const { runnable, grant } = await findRunnable(req, call);
      return outputsOf(req, call, runnable, grant);
    },

    /** Networks answer at once: one message. Services behind models say their words as they come. */
    async *generateModelOutputs(req, call) {
      const { runnable, grant } = await findRunnable(req, call);
      if (runnable.version.builtin === backendMark) return yield* generate(req, call, runnable);
      yield await outputsOf(req, call, runnable, grant);
    },

    /** The first request names the model; every request is answered by one message. */
    async *streamModelOutputs(requests, call) {
      let found: { runnable: Runnable; grant: AppGrant } | undefined;
      for await (const req of requests) {
        found ??= await findRunnable(req, call);
        if (req.inputs.length > 0) yield await outputsOf(req, call, found.runnable, found.grant);
      }
    },
  };

  /** In the app named; else, for callers that may look there, among the platform's own models. */
  async function findRunnable(
    req: PostModelOutputsRequest,
    call: Call,
  ): Promise<{ runnable: Runnable; grant: AppGrant }> {
    checkSelector(req.runnerSelector);
    try {
      return {
        runnable: await readTrainedVersion(deps.db, call.app, req.modelId, req.versionId),
        grant: call.app,
      };
    } catch (fault) {
      const main = isMissing(fault) ? await mainGrant(call) : undefined;
      if (!main || main.appKey === call.app.appKey) throw fault;
      return {
        runnable: await readTrainedVersion(deps.db, main, req.modelId, req.versionId).catch(() =>
          Promise.reject(fault),
        ),
        grant: main,
      };
    }
  }

  async function outputsOf(req: PostModelOutputsRequest, call: Call, runnable: Runnable, grant: AppGrant) {
    if (req.inputs.length === 0) throw predictionFault.noInputs();
    if (req.inputs.length > inputsMax) throw commonFault.tooMany('inputs', req.inputs.length, inputsMax);
    const own = bodyOfVersion(runnable.version).outputInfo;
    const settings = readSettings(overridesOf(req.model), own);
    const known = own?.data?.concepts ?? [];
    const allKnown = known.length === 0 || checkSelected(known, settings.selected);
    const shown = showModel(runnable.model, runnable.version);
    const params = paramsOf(req, runnable);
    const outputs = await eachOf(req.inputs, inputsAtOnce, async (input, at) => {
      const output = await outputOf(req, call, runnable, input, settings, {
        params,
        isAdmitted: at >= inputsAtOnce,
      });
      output.model = shown;
      return output;
    });
    await translate(grant, outputs, settings.language);
    const callerUserKey = call.caller.userKey;
    const app = call.app;
    deps.onPredicted?.({
      callerUserKey,
      modelVersionKey: runnable.version.key,
      app,
      inputs: req.inputs,
      outputs,
    });
    const outcomes = outputs.map((output) => outcomeOf(output.status));
    if (outputs.every((output) => output.status?.code === StatusCode.MODEL_INVALID_ARGUMENT)) {
      // The same mistake with every input is a mistake in the request.
      throw new Fault('bad_request', StatusCode.MODEL_INVALID_ARGUMENT, outputs[0]?.status?.details ?? '');
    }
    if (!allKnown && outcomes.every((outcome) => outcome === true))
      return { status: status(StatusCode.MIXED_STATUS), outputs };
    return { status: batchStatus(outcomes), outputs };
  }

  /** The words of a service, piece by piece, for one input. */
  async function* generate(req: PostModelOutputsRequest, call: Call, runnable: Runnable) {
    const [input, ...others] = req.inputs;
    if (!input) throw predictionFault.noInputs();
    if (others.length > 0) throw commonFault.tooMany('inputs', req.inputs.length, 1);
    const model = showModel(runnable.model, runnable.version);
    const id = newId();
    const media = await openMedia(deps, call.app, input, call.signal);
    const options = { signal: call.signal, params: paramsOf(req, runnable) };
    for await (const answer of answersOf(deps, runnable, media, options)) {
      const output = create(OutputSchema, {
        id,
        createdAt: timestampNow(),
        model,
        data: dataOf(answer),
        promptTokens: answer.promptTokens ?? 0,
        completionTokens: answer.completionTokens ?? 0,
        status: status(StatusCode.SUCCESS),
      });
      yield { status: status(StatusCode.SUCCESS), outputs: [output] };
    }
  }

  async function outputOf(
    req: PostModelOutputsRequest,
    call: Call,
    runnable: Runnable,
    input: Input,
    settings: OutputSettings,
    options: Pick<RunModelOptions, 'params' | 'isAdmitted'>,
  ): Promise<Output> {
    const output = create(OutputSchema, { id: newId(), createdAt: timestampNow(), input: echoOf(input) });
    try {
      const media = await openMedia(deps, call.app, input, call.signal);
      if (!input.data && output.input && call.app.holds('Inputs_Get')) output.input.data = media.data;
      const predict = () =>
        predictWith(deps, runnable, media, settings, {
          ...options,
          signal: call.signal,
          grant: call.app,
          onUsage: (promptTokens, completionTokens) =>
            Object.assign(output, { promptTokens, completionTokens }),
        });
      const question = { grant: call.app, runnable, media, settings, params: options.params ?? {} };
      output.data = req.usePredictCache ? await deps.predictCache.answer(question, predict) : await predict();
      output.status = create(StatusSchema, status(StatusCode.SUCCESS));
    } catch (thrown) {
      output.status = create(StatusSchema, statusOfFault(itemFault(thrown)));
    }
    return output;
  }

  async function translate(grant: AppGrant, outputs: readonly Output[], language: string): Promise<void> {
    if (language === '') return;
    const concepts = outputs.flatMap(({ data }) => conceptsIn(data));
    const names = await conceptNamesIn(deps.db, grant, language, [
      ...new Set(concepts.map((concept) => concept.id)),
    ]);
    for (const concept of concepts) {
      const name = names.get(concept.id);
      if (name) Object.assign(concept, { name, language });
    }
  }
}

/** Settings of the model, and over them those of the request. */
const paramsOf = (
  req: PostModelOutputsRequest,
  { version }: Runnable,
): Readonly<Record<string, unknown>> => ({
  ...bodyOfVersion(version).outputInfo?.params,
  ...Object.assign(
    {},
    ...overridesOf(req.model)
      .map((info) => info?.params)
      .reverse(),
  ),
});

/** Those of the whole, of regions, and of frames. */
function conceptsIn(data: Data | undefined): Concept[] {
  if (!data) return [];
  const inner = [...data.regions, ...data.frames].flatMap((part) => conceptsIn(part.data));
  return [...data.concepts, ...inner];
}

const isMissing = (fault: unknown): boolean =>
  fault instanceof Fault && fault.code === StatusCode.MODEL_DOES_NOT_EXIST;

/** Codes of the models' range that speak of one input: it is not what the model takes, or the network choked on it. */
const inputsOwn: number[] = [StatusCode.MODEL_INVALID_ARGUMENT, StatusCode.MODEL_PREDICTION_FAILED];

/**
 * What goes wrong with one input stays with it. What is wrong with the model, or with the whole request, would
 * be the same for every input and is thrown on: clients look for it, and for 21351 to try again, at the top.
 */
export function itemFault(thrown: unknown): Fault {
  if (!(thrown instanceof Fault)) throw thrown;
  const isModels = thrown.code >= 21_000 && thrown.code < 22_000 && !inputsOwn.includes(thrown.code);
  if (isModels || thrown.kind === 'unavailable' || thrown.kind === 'not_implemented') throw thrown;
  return thrown;
}

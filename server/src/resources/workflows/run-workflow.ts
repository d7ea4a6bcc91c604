import { clone, create } from '@bufbuild/protobuf';
import {
  type Data,
  DataSchema,
  type Input,
  type Output,
  type OutputConfig,
  type OutputInfo,
  OutputInfoSchema,
  OutputSchema,
  type Region,
  RegionSchema,
  StatusCode,
  StatusSchema,
  timestampNow,
  type WorkflowNode,
  type WorkflowResult,
  WorkflowResultSchema,
} from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { cropToBox } from '#engine/crop.ts';
import type { SampledTime } from '#engine/media/index.ts';
import { batchStatus, outcomeOf, status, statusOfFault } from '../common/status.ts';
import {
  bodyOfVersion,
  canonicalTypeId,
  type PinnedModel,
  packVersion,
  pinnedModels,
  showModel,
} from '../models/index.ts';
import {
  eachFrame,
  eachOf,
  echoOf,
  itemFault,
  type Media,
  mediaOf,
  type OutputSettings,
  openMedia,
  predictWith,
  type RunDeps,
  readSettings,
  showFrame,
} from '../predictions/index.ts';
import { type Appetite, appetiteOf, mergedData, satisfies } from './data-flow.ts';
import { workflowFault } from './faults.ts';
import { bodyOfWorkflowVersion } from './translate.ts';
import type { WorkflowVersionRow } from './workflow.ts';

/** A node with the model version it is pinned to. */
export interface ReadyNode {
  readonly node: WorkflowNode;
  readonly pinned: PinnedModel;
  readonly settings: OutputSettings;
}

export interface RunOptions {
  /** The app that is worked for. */
  readonly grant?: AppGrant;
  /** Told how long each node took, and when it began, on the clock of `performance.now()`. */
  readonly timed?: (nodeId: string, beganMs: number, tookMs: number) => void;
  readonly signal: AbortSignal;
  readonly background?: boolean;
  /** Part of a request that was let in before, and is not turned away half-way. */
  readonly isAdmitted?: boolean;
}

const regionsAtOnce = 4;

/** The nodes of a version, ready to run. @throws Fault 21200 when a pinned model is gone or not visible any more */
export async function readyNodes(
  deps: RunDeps,
  grant: AppGrant,
  version: WorkflowVersionRow | undefined,
  asked?: OutputConfig,
): Promise<ReadyNode[]> {
  const nodes = await nodesOf(deps, grant, version, asked);
  return nodes.map(({ node, ready }) => {
    if (!ready) throw workflowFault.modelGone(node.model?.id ?? node.id);
    return ready;
  });
}

/** The nodes that can still run: those whose model is gone are left out, with all that build on them. */
export async function presentNodes(
  deps: RunDeps,
  grant: AppGrant,
  version: WorkflowVersionRow | undefined,
): Promise<{ nodes: ReadyNode[]; goneIds: string[] }> {
  const nodes: ReadyNode[] = [];
  const gone = new Set<string>();
  for (const { node, ready } of await nodesOf(deps, grant, version)) {
    if (ready && !node.nodeInputs.some(({ nodeId }) => gone.has(nodeId))) nodes.push(ready);
    else gone.add(node.id);
  }
  return { nodes, goneIds: [...gone] };
}

async function nodesOf(
  deps: RunDeps,
  grant: AppGrant,
  version: WorkflowVersionRow | undefined,
  asked?: OutputConfig,
): Promise<{ node: WorkflowNode; ready: ReadyNode | undefined }[]> {
  if (!version) return [];
  const models = await pinnedModels(deps.db, grant, version.modelVersionKeys);
  return bodyOfWorkflowVersion(version).nodes.map((node, index) => {
    const found = models.get(version.modelVersionKeys[index] as number);
    if (!found) return { node, ready: undefined };
    const own = bodyOfVersion(found.version).outputInfo;
    const settings = readSettings([asked, node.outputInfoOverride], own);
    return { node, ready: { node, pinned: overridden(found, node.outputInfoOverride), settings } };
  });
}

/** A pinned version with what its node says otherwise: data (thresholds, say), and parameters one by one. */
function overridden(pinned: PinnedModel, override: OutputInfo | undefined): PinnedModel {
  if (!override) return pinned;
  const body = bodyOfVersion(pinned.version);
  const info = body.outputInfo ?? create(OutputInfoSchema);
  if (override.data) info.data = override.data;
  if (override.params) info.params = { ...info.params, ...override.params };
  if (override.outputConfig) info.outputConfig = override.outputConfig;
  body.outputInfo = info;
  return { model: pinned.model, version: { ...pinned.version, body: packVersion(body) } };
}

/**
 * Runs all nodes on one input. A node that fails says so in its own output and takes those that build on it
 * along; the others go on.
 *
 * @returns one output for each node that is not suppressed, in node order
 */
export async function runWorkflow(
  deps: RunDeps,
  grant: AppGrant,
  nodes: readonly ReadyNode[],
  input: Input,
  options: RunOptions,
): Promise<WorkflowResult> {
  const result = create(WorkflowResultSchema, {
    id: newId(),
    createdAt: timestampNow(),
    input: echoOf(input),
  });
  let media: Media;
  try {
    media = await openMedia(deps, grant, input, options.signal);
    // Fetched once, before any node asks: an input that cannot be had fails by itself and not once per node.
    if (media.kinds.includes('image')) await media.image();
  } catch (thrown) {
    result.status = create(StatusSchema, statusOfFault(itemFault(thrown)));
    return result;
  }
  if (!input.data && result.input && grant.holds('Inputs_Get')) result.input.data = media.data;
  let outputs: Output[];
  try {
    const isVideo = media.kinds.includes('video') && !media.kinds.includes('image');
    outputs = await (isVideo ? runOnVideo : runNodes)(deps, nodes, media, { grant, ...options });
  } catch (thrown) {
    result.status = create(StatusSchema, statusOfFault(itemFault(thrown)));
    return result;
  }
  result.outputs = outputs.filter((_, index) => !nodes[index]?.node.suppressOutput);
  const outcomes = outputs.map((output) => outcomeOf(output.status));
  result.status = create(StatusSchema, batchStatus(outcomes));
  return result;
}

/**
 * Runs nodes on every frame of a video that is looked at, and then those that need all frames at once, such as
 * trackers, with all that builds on them.
 */
async function runOnVideo(
  deps: RunDeps,
  nodes: readonly ReadyNode[],
  origin: Media,
  options: RunOptions,
): Promise<Output[]> {
  const whole = nodesOfWhole(nodes);
  const single = nodes.filter(({ node }) => !whole.has(node.id));
  const sampleMs = nodes.map(({ settings }) => settings.sampleMs).find((ms) => ms !== undefined);
  const frames = await eachFrame(deps, origin, { ...options, sampleMs }, async (frame, moment) => ({
    moment,
    outputs: await runNodes(deps, single, frame, options),
  }));
  const made = new Map(
    single.map(({ node }, at) => [
      node.id,
      joined(frames.map(({ moment, outputs }) => ({ moment, output: outputs[at] as Output }))),
    ]),
  );
  return runNodes(deps, nodes, origin, options, made);
}

/** Ids of the nodes that take frames, and of all that come after them. */
export function nodesOfWhole(nodes: readonly ReadyNode[]): Set<string> {
  const whole = new Set<string>();
  for (const { node, pinned } of nodes) {
    const takesFrames = appetiteOf(canonicalTypeId(pinned.model.typeId)) === 'frames';
    if (takesFrames || node.nodeInputs.some(({ nodeId }) => whole.has(nodeId))) whole.add(node.id);
  }
  return whole;
}

/** What a node said of each frame, as one output; where it failed on one, that is what it says. */
function joined(said: readonly { moment: SampledTime; output: Output }[]): Output {
  const failed = said.find(({ output }) => output.status?.code !== StatusCode.SUCCESS);
  const output = clone(OutputSchema, (failed ?? said[0])?.output ?? create(OutputSchema));
  if (failed) return output;
  output.data = create(DataSchema, {
    frames: said.map(({ moment, output: { data } }) => showFrame(moment, data ?? create(DataSchema))),
  });
  return output;
}

/** @param known outputs that are there already, by node id */
async function runNodes(
  deps: RunDeps,
  nodes: readonly ReadyNode[],
  origin: Media,
  options: RunOptions,
  known: ReadonlyMap<string, Output> = new Map(),
): Promise<Output[]> {
  const made = new Map<string, Promise<Output>>();
  for (const ready of nodes) {
    const there = known.get(ready.node.id);
    if (there) {
      made.set(ready.node.id, Promise.resolve(there));
      continue;
    }
    const parents = ready.node.nodeInputs.map(({ nodeId }) => ({ nodeId, output: made.get(nodeId) }));
    made.set(
      ready.node.id,
      Promise.all(parents.map(({ output }) => output)).then((outputs) =>
        runNode(
          deps,
          ready,
          outputs.filter((output) => output !== undefined),
          origin,
          options,
        ),
      ),
    );
  }
  return Promise.all(made.values());
}

async function runNode(
  deps: RunDeps,
  ready: ReadyNode,
  parents: readonly Output[],
  origin: Media,
  options: RunOptions,
): Promise<Output> {
  const { model, version } = ready.pinned;
  const output = create(OutputSchema, {
    id: newId(),
    createdAt: timestampNow(),
    model: showModel(model, version),
  });
  try {
    const began = performance.now();
    const failed = parents.findIndex((parent) => parent.status?.code !== StatusCode.SUCCESS);
    if (failed >= 0) throw workflowFault.nodeFailed(ready.node.nodeInputs[failed]?.nodeId ?? '');
    output.data = await feed(
      deps,
      ready,
      parents.map((parent) => parent.data ?? create(DataSchema)),
      origin,
      options,
    );
    output.status = create(StatusSchema, status(StatusCode.SUCCESS));
    options.timed?.(ready.node.id, began, performance.now() - began);
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === 'busy') throw thrown;
    if (!(thrown instanceof Fault)) throw thrown;
    output.status = create(StatusSchema, statusOfFault(thrown));
  }
  return output;
}

/** Gives a node what it looks for: what its parents made, that part by part, or the workflow's own input. */
async function feed(
  deps: RunDeps,
  ready: ReadyNode,
  parents: readonly Data[],
  origin: Media,
  options: RunOptions,
): Promise<Data> {
  const isAdmitted = (options.isAdmitted ?? false) || parents.length > 0;
  const run = (media: Media) =>
    predictWith(deps, ready.pinned, media, ready.settings, { ...options, isAdmitted });
  if (parents.length === 0) return run(origin);
  const data = mergedData(parents);
  const appetite = appetiteOf(canonicalTypeId(ready.pinned.model.typeId));
  if (appetite === 'regions' || appetite === 'frames' || appetite === 'any')
    return run(withOrigin(mediaOf(deps, data, options.signal), origin));
  if (satisfies(data, appetite)) return run(mediaOf(deps, data, options.signal));
  if (parents.some((parent) => parent.regions.length > 0))
    return perRegion(deps, data, appetite, origin, options, run);
  // Nothing was found to look at, so there is nothing to say: the whole picture is not what was asked about.
  if (parents.every((parent) => isEmpty(parent))) return create(DataSchema);
  return run(origin);
}

/** Operators on regions need the picture that the regions are in. */
const withOrigin = (media: Media, origin: Media): Media => ({
  ...media,
  kinds: [...new Set([...media.kinds, ...origin.kinds])],
  image: origin.image,
});

const isEmpty = (data: Data): boolean =>
  data.regions.length + data.concepts.length + data.embeddings.length + data.colors.length === 0 &&
  !data.text &&
  !data.image;

/** Runs a model on every region by itself; what it says stands in the region's data. */
async function perRegion(
  deps: RunDeps,
  data: Data,
  appetite: Appetite,
  origin: Media,
  options: RunOptions,
  run: (media: Media) => Promise<Data>,
): Promise<Data> {
  const regions = await eachOf(data.regions, regionsAtOnce, async (region) => {
    const media =
      appetite === 'image'
        ? await regionPicture(deps, region, origin, options)
        : mediaOf(deps, region.data ?? create(DataSchema), options.signal);
    const shown = clone(RegionSchema, region);
    shown.data = await run(media);
    return shown;
  });
  return create(DataSchema, { regions });
}

/** The region cut out by a cropper before, or cut out now. */
async function regionPicture(
  deps: RunDeps,
  region: Region,
  origin: Media,
  options: RunOptions,
): Promise<Media> {
  if (region.data?.image?.base64.length) return mediaOf(deps, region.data, options.signal);
  const box = region.regionInfo?.boundingBox;
  if (!box) return origin;
  const cut = await cropToBox(await origin.image(), {
    top: box.topRow,
    left: box.leftCol,
    bottom: box.bottomRow,
    right: box.rightCol,
  });
  return mediaOf(deps, create(DataSchema, { image: { base64: cut } }), options.signal);
}

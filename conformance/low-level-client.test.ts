import clarifai from 'clarifai-nodejs-grpc';
import resources from 'clarifai-nodejs-grpc/proto/clarifai/api/resources_pb';
import client from 'clarifai-nodejs-grpc/proto/clarifai/api/service_grpc_pb';
import service from 'clarifai-nodejs-grpc/proto/clarifai/api/service_pb';
import statuses from 'clarifai-nodejs-grpc/proto/clarifai/api/status/status_pb';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Person, signedIn } from '../server/src/testing/people.ts';
import { until } from './main-job.ts';
import { concepts, drawPictures, type Picture } from './pictures.ts';

/** The official client `clarifai-nodejs-grpc` as its own documentation uses it: setters in, toObject() out. */

// Pictures are really processed and models really trained; a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 });

const { grpc } = clarifai;
const jobId = 'first-upload';
const datasetId = 'training-set';
const modelId = 'kinds';

let alice: Person;
let stub: InstanceType<typeof client.V2Client>;
let pictures: Picture[];
let training: Picture[];
let heldOut: Picture[];
let versionId: string;
const metadata = new grpc.Metadata();

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
  metadata.set('authorization', `Key ${alice.pat}`);
  stub = new client.V2Client(new URL(alice.url).host, grpc.credentials.createInsecure());
  pictures = await drawPictures();
  training = pictures.filter((picture) => !picture.heldOut);
  heldOut = pictures.filter((picture) => picture.heldOut);
});
afterAll(() => stub.close());

type Unary<Request, Reply> = (
  request: Request,
  metadata: InstanceType<typeof grpc.Metadata>,
  options: object,
  callback: (error: Error | null, reply: Reply) => void,
) => unknown;

/** Calls a method of the stub and sees to it that the reply says SUCCESS. */
function ask<Request, Reply extends { getStatus(): statuses.Status | undefined }>(
  method: Unary<Request, Reply>,
  request: Request,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    method.call(stub, request, metadata, {}, (error, reply) => {
      if (error) return reject(error);
      const status = reply.getStatus();
      if (status?.getCode() !== 10000) return reject(new Error(JSON.stringify(status?.toObject())));
      resolve(reply);
    });
  });
}

const scope = () => new resources.UserAppIDSet().setUserId(alice.userId).setAppId(alice.appId);
const imageOf = (picture: Picture) =>
  new resources.Data().setImage(new resources.Image().setBase64(picture.bytes));
const named = (id: string) => new resources.Concept().setId(id).setName(id).setValue(1);

test('images are uploaded with an add job, which says when all are processed', async () => {
  const inputs = training.map((picture) => new resources.Input().setId(picture.id).setData(imageOf(picture)));
  const posted = await ask(
    stub.postInputs,
    new service.PostInputsRequest().setUserAppId(scope()).setInputsAddJobId(jobId).setInputsList(inputs),
  );
  expect(posted.getInputsList().map((input) => input.getId())).toEqual(training.map(({ id }) => id));
  await until(async () => {
    const reply = await ask(
      stub.getInputsAddJob,
      new service.GetInputsAddJobRequest().setUserAppId(scope()).setId(jobId),
    );
    const progress = reply.toObject().inputsAddJob?.progress;
    return progress?.pendingCount === 0 && progress.inProgressCount === 0;
  });
  const done = new statuses.Status().setCode(30000);
  const listed = await ask(
    stub.listInputs,
    new service.ListInputsRequest().setUserAppId(scope()).setPerPage(128).setStatus(done),
  );
  expect(
    listed
      .toObject()
      .inputsList.map(({ id }) => id)
      .sort(),
  ).toEqual(training.map(({ id }) => id).sort());
});

test('labels are annotations, and count as concepts of the app', async () => {
  const annotations = training.map(({ id, concept }) =>
    new resources.Annotation().setInputId(id).setData(new resources.Data().setConceptsList([named(concept)])),
  );
  await ask(
    stub.postAnnotations,
    new service.PostAnnotationsRequest().setUserAppId(scope()).setAnnotationsList(annotations),
  );
  const listed = await ask(stub.listConcepts, new service.ListConceptsRequest().setUserAppId(scope()));
  expect(
    listed
      .toObject()
      .conceptsList.map(({ id }) => id)
      .sort(),
  ).toEqual([...concepts]);
});

test('a dataset of them trains a classifier', async () => {
  const dataset = new resources.Dataset().setId(datasetId);
  await ask(
    stub.postDatasets,
    new service.PostDatasetsRequest().setUserAppId(scope()).setDatasetsList([dataset]),
  );
  await ask(
    stub.postDatasetInputs,
    new service.PostDatasetInputsRequest()
      .setUserAppId(scope())
      .setDatasetId(datasetId)
      .setDatasetInputsList(
        training.map(({ id }) => new resources.DatasetInput().setInput(new resources.Input().setId(id))),
      ),
  );
  const model = new resources.Model().setId(modelId).setModelTypeId('embedding-classifier');
  await ask(stub.postModels, new service.PostModelsRequest().setUserAppId(scope()).setModelsList([model]));

  const version = new resources.ModelVersion()
    .setTrainInfo(new resources.TrainInfo().setDataset(dataset))
    .setOutputInfo(
      new resources.OutputInfo()
        .setData(new resources.Data().setConceptsList(concepts.map(named)))
        .setOutputConfig(new resources.OutputConfig().setConceptsMutuallyExclusive(true)),
    );
  const queued = await ask(
    stub.postModelVersions,
    new service.PostModelVersionsRequest()
      .setUserAppId(scope())
      .setModelId(modelId)
      .setModelVersionsList([version]),
  );
  versionId = queued.toObject().model?.modelVersion?.id ?? '';
  expect(queued.toObject().model?.modelVersion?.status?.code).toBe(21103);
  await until(async () => {
    const reply = await ask(
      stub.getModelVersion,
      new service.GetModelVersionRequest().setUserAppId(scope()).setModelId(modelId).setVersionId(versionId),
    );
    const status = reply.toObject().modelVersion?.status;
    expect([21100, 21101, 21103]).toContain(status?.code);
    return status?.code === 21100;
  });
});

test('the classifier tells the kinds of pictures it has not seen', async () => {
  const reply = await ask(
    stub.postModelOutputs,
    new service.PostModelOutputsRequest()
      .setUserAppId(scope())
      .setModelId(modelId)
      .setVersionId(versionId)
      .setInputsList(heldOut.map((picture) => new resources.Input().setData(imageOf(picture)))),
  );
  const told = reply.toObject().outputsList.map((output) => output.data?.conceptsList[0]?.id);
  const right = told.filter((id, i) => id === heldOut[i]?.concept).length;
  expect(right / heldOut.length).toBeGreaterThanOrEqual(0.75);
});

const searchFor = (data: resources.Data) =>
  ask(
    stub.postInputsSearches,
    new service.PostInputsSearchesRequest()
      .setUserAppId(scope())
      .setSearchesList([
        new resources.Search().setQuery(
          new resources.Query().setRanksList([
            new resources.Rank().setAnnotation(new resources.Annotation().setData(data)),
          ]),
        ),
      ])
      .setPagination(new service.Pagination().setPage(1).setPerPage(3)),
  );

test('a search by a picture finds that picture first', async () => {
  const [first] = training;
  const { hitsList } = (await searchFor(imageOf(first as Picture))).toObject();
  expect(hitsList).toHaveLength(3);
  expect(hitsList[0]?.input?.id).toBe(first?.id);
  expect(hitsList[0]?.score).toBeCloseTo(1, 3);
});

test('a search by a concept finds what shows it', async () => {
  const { hitsList } = (
    await searchFor(new resources.Data().setConceptsList([named(concepts[1])]))
  ).toObject();
  const conceptOf = new Map(pictures.map(({ id, concept }) => [id, concept]));
  expect(hitsList.map((hit) => conceptOf.get(hit.input?.id ?? ''))).toEqual(Array(3).fill(concepts[1]));
});

import { ClarifaiStub } from 'clarifai-web-grpc';
import resources from 'clarifai-web-grpc/dist/cjs/proto/clarifai/api/resources_pb.js';
import service from 'clarifai-web-grpc/dist/cjs/proto/clarifai/api/service_pb.js';

/** What `web-client.test.ts` lets a browser run; built for it by esbuild. */
export interface Session {
  readonly url: string;
  readonly userId: string;
  readonly appId: string;
  readonly pat: string;
}

/** A message or client of `clarifai-web-grpc`; its types are of another age than this compiler. */
// biome-ignore lint/suspicious/noExplicitAny: as above
type Any = any;

function open({ url, userId, appId, pat }: Session) {
  const client: Any = ClarifaiStub.grpc(url);
  const inApp = new (resources as Any).UserAppIDSet();
  inApp.setUserId(userId);
  inApp.setAppId(appId);
  return (method: string, request: Any, scope = inApp): Promise<Any> => {
    request.setUserAppId(scope);
    return new Promise((resolve, reject) =>
      client[method](request, { authorization: `Key ${pat}` }, (error: Error | null, reply: Any) =>
        error ? reject(error) : resolve(reply),
      ),
    );
  };
}

const { Input, Data, Image, UserAppIDSet, Search, Query, Rank, Annotation, Pagination } = resources as Any;
const messages = service as Any;

function dataOf(base64: string): Any {
  const data = new Data();
  const image = new Image();
  image.setBase64(base64);
  data.setImage(image);
  return data;
}

/** Posts pictures, waits for them, predicts the first with a platform model and looks for it. */
async function job(session: Session, pictures: readonly { id: string; base64: string }[]) {
  const ask = open(session);
  const inputs = pictures.map(({ id, base64 }) => {
    const input = new Input();
    input.setId(id);
    input.setData(dataOf(base64));
    return input;
  });
  const post = new messages.PostInputsRequest();
  post.setInputsList(inputs);
  const posted = await ask('postInputs', post);
  const list = new messages.ListInputsRequest();
  list.setPage(1);
  list.setPerPage(100);
  let processed = 0;
  for (let looks = 0; processed < pictures.length && looks < 300; looks++) {
    const listed: Any[] = (await ask('listInputs', list)).getInputsList();
    processed = listed.filter((one) => one.getStatus().getCode() === 30000).length;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const predict = new messages.PostModelOutputsRequest();
  predict.setModelId('general-image-recognition');
  predict.setInputsList(inputs.slice(0, 1));
  const main = new UserAppIDSet();
  main.setUserId('clarifai');
  main.setAppId('main');
  const predicted = await ask('postModelOutputs', predict, main);
  const annotation = new Annotation();
  annotation.setData(dataOf(pictures[0]?.base64 ?? ''));
  const rank = new Rank();
  rank.setAnnotation(annotation);
  const query = new Query();
  query.setRanksList([rank]);
  const search = new Search();
  search.setQuery(query);
  const searches = new messages.PostInputsSearchesRequest();
  searches.setSearchesList([search]);
  const page = new Pagination();
  page.setPage(1);
  page.setPerPage(3);
  searches.setPagination(page);
  const found = await ask('postInputsSearches', searches);
  return {
    posted: posted.getStatus().getCode(),
    processed,
    concepts: predicted.getOutputsList()[0].getData().getConceptsList().length,
    found: found.getHitsList().map((hit: Any) => hit.getInput().getId()),
  };
}

/** What a call with this session is told. */
async function told(session: Session): Promise<number> {
  return (await open(session)('listInputs', new messages.ListInputsRequest())).getStatus().getCode();
}

Object.assign(globalThis, { job, told });

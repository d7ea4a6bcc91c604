import type { NameStyle } from '../json/index.ts';
import { pathsOf } from './operations.ts';
import { type JsonSchema, openSchemas } from './schemas.ts';

const cached = new Map<NameStyle, Promise<string>>();

/** The OpenAPI 3.1 document as JSON text, made at the first request and kept. */
export function openApiText(names: NameStyle): Promise<string> {
  let text = cached.get(names);
  if (text === undefined) {
    text = openApiDocument(names).then((document) => JSON.stringify(document));
    cached.set(names, text);
  }
  return text;
}

/** Describes every REST path of the contract from its descriptors. */
export async function openApiDocument(names: NameStyle): Promise<JsonSchema> {
  // Only this page needs the comments, so nobody else pays for them.
  const { comments } = await import('@fovea/contract/comments');
  const collected = openSchemas(names, comments);
  const paths = pathsOf(collected, comments, names);
  const tags = new Set(Object.values(paths).flatMap((path) => Object.values(path).flatMap(tagsOf)));
  return {
    openapi: '3.1.0',
    info: { title: 'Fovea API', version: '2', description: introduction(names) },
    servers: [{ url: '/' }],
    tags: [...tags].sort().map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        key: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description:
            'The word Key, a space, and a personal access token or an app key: `Authorization: Key 0123…`.',
        },
        session: { type: 'apiKey', in: 'header', name: 'X-Clarifai-Session-Token' },
      },
      schemas: sortedByName(collected.schemas),
    },
  };
}

const tagsOf = (operation: unknown): string[] => (operation as { tags: string[] }).tags;

const sortedByName = (schemas: Record<string, JsonSchema>): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));

const introduction = (names: NameStyle): string =>
  [
    'The Clarifai v2 API as this server speaks it. The same calls are answered over gRPC and gRPC-Web on the same port.',
    `Names: this document spells fields in ${names === 'snake' ? 'snake_case' : 'camelCase'}; add ?names=${names === 'snake' ? 'camel' : 'snake'} to its address for the other spelling. Requests may use either, also mixed, and unknown names are ignored. Answers are in snake_case unless the request says Accept: application/json; names=camel or the server was started with FOVEA_JSON_NAMES=camel.`,
    'Enums are integers in answers; requests may use names as well. 64-bit integers are texts. Every answer has a status; code 10000 means success.',
  ].join('\n\n');

import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { type Binding, type MethodRule, methodRules } from '@fovea/contract';
import type { NameStyle } from '../json/index.ts';
import { type Comments, described, type JsonSchema, type openSchemas } from './schemas.ts';

type Schemas = ReturnType<typeof openSchemas>;

// How far query parameters reach into messages; deeper filters belong into a body.
const queryDepthMax = 2;

/** The resource a path is about: its first fixed segment behind the user and the app. */
export function tagOf(path: string): string {
  const segments = path.split('/').slice(2);
  let at = 0;
  while ((segments[at] === 'users' || segments[at] === 'apps') && segments.length > at + 2) at += 2;
  return segments[at] ?? 'other';
}

/** Path templates by shape: OpenAPI wants one template for all verbs of a shape, the contract names parameters per method. */
function templatesByShape(): ReadonlyMap<string, string> {
  const templates = new Map<string, string>();
  for (const rule of methodRules) {
    for (const { path } of rule.bindings) {
      const shape = shapeOf(path);
      if (!templates.has(shape)) templates.set(shape, path);
    }
  }
  return templates;
}

const shapeOf = (path: string): string => path.replaceAll(/\{[^}]+\}/g, '{}');
const paramsOf = (path: string): string[] =>
  [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] as string);

/** All operations of the contract by path and verb, both name styles told per parameter. */
export function pathsOf(schemas: Schemas, comments: Comments, names: NameStyle): Record<string, JsonSchema> {
  const paths: Record<string, JsonSchema> = {};
  const templates = templatesByShape();
  for (const rule of methodRules) {
    const tag = tagOf(rule.bindings[0]?.path ?? '');
    for (const [index, binding] of rule.bindings.entries()) {
      const template = templates.get(shapeOf(binding.path)) as string;
      paths[template] ??= {};
      const verb = binding.verb.toLowerCase();
      const operation = {
        tags: [tag],
        ...operationOf(rule, binding, index, template, schemas, comments, names),
      };
      const settled = paths[template][verb] as JsonSchema | undefined;
      // Two methods on one route: the second is named, as OpenAPI has room for one.
      if (settled === undefined) paths[template][verb] = operation;
      else
        settled['x-also'] = [...((settled['x-also'] as string[] | undefined) ?? []), operation.operationId];
    }
  }
  return paths;
}

function operationOf(
  rule: MethodRule,
  binding: Binding,
  index: number,
  template: string,
  schemas: Schemas,
  comments: Comments,
  names: NameStyle,
) {
  const comment = comments[`clarifai.api.V2.${rule.name}`];
  return {
    operationId: index === 0 ? rule.name : `${rule.name}_${index + 1}`,
    summary: firstSentence(comment) ?? rule.name,
    ...described(comment),
    parameters: [
      ...pathParameters(binding.path, template),
      ...queryParameters(rule, binding, schemas, comments, names),
    ],
    ...(binding.verb === 'GET' ? {} : { requestBody: bodyOf(rule, schemas) }),
    responses: responsesOf(rule, schemas),
    security: rule.auth === 'NoAuth' ? [] : securityOf(rule),
    'x-auth': rule.auth,
    'x-scopes': rule.scopes,
    'x-grpc-path': rule.path,
    ...(rule.beyondContract ? { 'x-newer-contract': true } : {}),
  };
}

function firstSentence(text: string | undefined): string | undefined {
  const line = text?.split('\n')[0];
  return line === undefined ? undefined : (/^.*?[.!?](?=\s|$)/.exec(line)?.[0] ?? line);
}

const securityOf = (rule: MethodRule) =>
  rule.auth === 'SessionTokenAuth' ? [{ session: [] }] : [{ key: [] }, { session: [] }];

function pathParameters(path: string, template: string): JsonSchema[] {
  const fields = paramsOf(path);
  return paramsOf(template).map((name, index) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    ...(fields[index] === name ? {} : { 'x-field': fields[index] }),
  }));
}

function queryParameters(
  rule: MethodRule,
  binding: Binding,
  schemas: Schemas,
  comments: Comments,
  names: NameStyle,
): JsonSchema[] {
  if (binding.verb !== 'GET') return [];
  const inPath = new Set(paramsOf(binding.path));
  const found: JsonSchema[] = [];
  const visit = (desc: DescMessage, prefix: string, shownPrefix: string, depth: number) => {
    for (const field of desc.fields) {
      const path = prefix + field.name;
      const name = shownPrefix + (names === 'snake' ? field.name : field.jsonName);
      if (inPath.has(path)) continue;
      if (reachesInto(field)) {
        if (depth < queryDepthMax) visit(field.message as DescMessage, `${path}.`, `${name}.`, depth + 1);
      } else if (field.fieldKind !== 'map' && !(field.fieldKind === 'list' && field.message !== undefined)) {
        const comment = comments[`${desc.typeName}.${field.name}`];
        found.push({ name, in: 'query', schema: schemas.fieldSchema(field), ...described(comment) });
      }
    }
  };
  visit(rule.desc.input, '', '', 1);
  return found;
}

const reachesInto = (field: DescField): boolean =>
  field.fieldKind === 'message' && !field.message.typeName.startsWith('google.protobuf.');

const bodyOf = (rule: MethodRule, schemas: Schemas) => ({
  content: { 'application/json': { schema: schemas.refTo(rule.desc.input) } },
});

function responsesOf(rule: MethodRule, schemas: Schemas) {
  const schema = schemas.refTo(rule.desc.output);
  const refusal = {
    description: 'Refused or failed; status says why.',
    content: { 'application/json': { schema } },
  };
  if (rule.kind === 'bidi_streaming') {
    return { 400: { ...refusal, description: 'A two-way stream: only gRPC can carry it.' } };
  }
  const isStream = rule.kind === 'server_streaming';
  const line = { type: 'object', properties: { result: schema } };
  const content = isStream
    ? { 'application/x-ndjson': { schema: line } }
    : { 'application/json': { schema } };
  return {
    200: { description: isStream ? 'One JSON object a line, as they come.' : 'Done.', content },
    default: refusal,
  };
}

// REST as the page speaks it: a type for every message in its JSON form, and one route for every RPC. Types cost
// nothing in a bundle, so the page is checked against the contract without carrying its descriptors.
import { createFileRegistry, ScalarType } from '@bufbuild/protobuf';
import { bindingsOf, httpExtensionOf } from './merge.mjs';

const wellKnown = {
  'google.protobuf.Timestamp': 'string',
  'google.protobuf.Duration': 'string',
  'google.protobuf.Struct': 'Record<string, unknown>',
  'google.protobuf.Value': 'unknown',
  'google.protobuf.ListValue': 'unknown[]',
  'google.protobuf.FloatValue': 'number',
  'google.protobuf.DoubleValue': 'number',
  'google.protobuf.Int32Value': 'number',
  'google.protobuf.UInt32Value': 'number',
  'google.protobuf.Int64Value': 'string',
  'google.protobuf.UInt64Value': 'string',
  'google.protobuf.BoolValue': 'boolean',
  'google.protobuf.StringValue': 'string',
  'google.protobuf.BytesValue': 'string',
  'google.protobuf.Any': 'Record<string, unknown>',
  'google.protobuf.Empty': 'Record<string, never>',
};

const ofStrings = new Set([
  ScalarType.STRING,
  ScalarType.BYTES,
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

const scalarType = (scalar) =>
  ofStrings.has(scalar) ? 'string' : scalar === ScalarType.BOOL ? 'boolean' : 'number';

const nameOf = (message) => message.typeName.replace(/^clarifai\.(api|auth)\./, '').replaceAll('.', '_');

const messageType = (message) => wellKnown[message.typeName] ?? nameOf(message);

function fieldType(field) {
  switch (field.fieldKind) {
    case 'list':
      return `readonly ${itemType(field.listKind, field)}[]`;
    case 'map':
      return `Readonly<Record<string, ${itemType(field.mapKind, field)}>>`;
    default:
      return itemType(field.fieldKind, field);
  }
}

function itemType(kind, field) {
  if (kind === 'message') return messageType(field.message);
  return kind === 'enum' ? 'number' : scalarType(field.scalar);
}

/**
 * The routes of an RPC, those with the most parameters in their path first: a caller takes the first whose parameters
 * it has. Paths that leave it to the key to say whose app is meant stand back where there are others.
 */
function routesOf(bindings) {
  const paths = bindings.filter(({ pattern }) => pattern.case !== undefined).map(({ pattern }) => pattern);
  const whole = paths.filter(({ value }) => value.includes('{user_app_id'));
  const parameters = ({ value }) => value.split('{').length;
  return (whole.length > 0 ? whole : paths)
    .toSorted((a, b) => parameters(b) - parameters(a))
    .map(({ case: verb, value }) => `${verb.toUpperCase()} ${value}`);
}

/**
 * @param {import('@bufbuild/protobuf/wkt').FileDescriptorSet} set the merged contract
 * @returns {string} a TypeScript module
 */
export function restModule(set) {
  const http = httpExtensionOf(set);
  const registry = createFileRegistry(set);
  const messages = [];
  const visit = (message) => {
    if (wellKnown[message.typeName] || message.file.proto.options?.mapEntry) return;
    messages.push(message);
    message.nestedMessages.forEach(visit);
  };
  for (const file of registry.files)
    if (file.proto.name.startsWith('proto/clarifai')) file.messages.forEach(visit);
  const service = registry.getService('clarifai.api.V2');
  const types = messages.map((message) => {
    const fields = message.fields.map((field) => `  readonly ${field.proto.name}?: ${fieldType(field)};`);
    return `export interface ${nameOf(message)} {\n${fields.join('\n')}\n}\n`;
  });
  const routes = (method) => routesOf(bindingsOf(method.proto, http));
  const methods = service.methods.filter((method) => routes(method).length > 0);
  const rpcs = methods.map(
    (method) =>
      `  readonly ${method.name}: { readonly request: ${nameOf(method.input)}; readonly response: ${nameOf(method.output)} };`,
  );
  const table = methods.map(
    (method) => `  ${method.name}: ${JSON.stringify([nameOf(method.input), ...routes(method)])},`,
  );
  return [
    ...types,
    `/** What each RPC takes and gives, in JSON. */\nexport interface Rpcs {\n${rpcs.join('\n')}\n}\n`,
    `/** Request message of each RPC, and its routes, longest first; {names} in a path are fields of the request. */`,
    `export const routes: Readonly<Record<keyof Rpcs, readonly [string, ...string[]]>> = {\n${table.join('\n')}\n};\n`,
  ].join('\n');
}

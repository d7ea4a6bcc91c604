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

/** The route of an RPC with the most parameters in its path: it names everything, so no key has to imply it. */
function routeOf(bindings) {
  const parameters = ({ pattern }) => pattern.value.split('{').length;
  const longest = bindings.toSorted((a, b) => parameters(b) - parameters(a))[0];
  return longest && [longest.pattern.case.toUpperCase(), longest.pattern.value];
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
  const route = (method) => routeOf(bindingsOf(method.proto, http));
  const methods = service.methods.filter(route);
  const rpcs = methods.map(
    (method) =>
      `  readonly ${method.name}: { readonly request: ${nameOf(method.input)}; readonly response: ${nameOf(method.output)} };`,
  );
  const routes = methods.map(
    (method) => `  ${method.name}: ${JSON.stringify([...route(method), nameOf(method.input)])},`,
  );
  return [
    ...types,
    `/** What each RPC takes and gives, in JSON. */\nexport interface Rpcs {\n${rpcs.join('\n')}\n}\n`,
    `/** Verb, path and request message of each RPC; {names} in the path are fields of the request. */`,
    `export const routes: Readonly<Record<keyof Rpcs, readonly [string, string, string]>> = {\n${routes.join('\n')}\n};\n`,
  ].join('\n');
}

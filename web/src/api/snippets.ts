import { routes } from '@fovea/contract/rest';
import type { CallRecord } from './records.ts';

/** How a call is written in the languages people come with. The token is always a placeholder. */
export const languages = ['curl', 'python', 'typescript'] as const;
export type Language = (typeof languages)[number];

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

export function snippetOf(record: CallRecord, language: Language, origin: string): string {
  if (language === 'curl') return curlOf(record, origin);
  return language === 'python' ? pythonOf(record, origin) : typescriptOf(record, origin);
}

function curlOf({ verb, path, body }: CallRecord, origin: string): string {
  const lines = [`curl -X ${verb} ${quoted(origin + path)}`, '  -H "Authorization: Key $FOVEA_PAT"'];
  if (body) lines.push(`  -H 'Content-Type: application/json'`, `  -d ${quoted(JSON.stringify(body))}`);
  return lines.join(' \\\n');
}

/** The official Python client; calls beyond the contract go over plain HTTP. */
function pythonOf({ rpc, request, verb, path, body }: CallRecord, origin: string): string {
  if (rpc === undefined) {
    const json = body ? `,\n    json=${pythonLiteral(body, 4)}` : '';
    return `import os, requests

reply = requests.request(
    ${JSON.stringify(verb)}, ${JSON.stringify(origin + path)},
    headers={"Authorization": f"Key {os.environ['FOVEA_PAT']}"}${json},
)
print(reply.json())`;
  }
  const target = new URL(origin);
  const channel =
    target.protocol === 'https:'
      ? `ClarifaiChannel.get_grpc_channel(${JSON.stringify(target.host)})`
      : `ClarifaiChannel.get_insecure_grpc_channel(base=${JSON.stringify(target.hostname)}, port=${target.port || '80'})`;
  return `import os
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import service_pb2, service_pb2_grpc
from google.protobuf.json_format import ParseDict

stub = service_pb2_grpc.V2Stub(${channel})
request = ParseDict(${pythonLiteral(request ?? {}, 0)}, service_pb2.${routes[rpc][0]}())
print(stub.${rpc}(request, metadata=(("authorization", f"Key {os.environ['FOVEA_PAT']}"),)))`;
}

function typescriptOf({ verb, path, body }: CallRecord, origin: string): string {
  const lines = [
    `const response = await fetch(${JSON.stringify(origin + path)}, {`,
    `  method: ${JSON.stringify(verb)},`,
    '  headers: {',
    '    authorization: `Key ${process.env.FOVEA_PAT}`,',
    ...(body ? [`    'content-type': 'application/json',`] : []),
    '  },',
    ...(body
      ? [`  body: JSON.stringify(${JSON.stringify(body, undefined, 2).replaceAll('\n', '\n  ')}),`]
      : []),
    '});',
    'console.log(await response.json());',
  ];
  return lines.join('\n');
}

function pythonLiteral(value: unknown, indent: number): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  const inner = ' '.repeat(indent + 4);
  const close = ' '.repeat(indent);
  const entries = Array.isArray(value)
    ? value.map((item) => pythonLiteral(item, indent + 4))
    : Object.entries(value).map(
        ([name, item]) => `${JSON.stringify(name)}: ${pythonLiteral(item, indent + 4)}`,
      );
  const [open, end] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0) return open + end;
  return `${open}\n${entries.map((entry) => `${inner}${entry},`).join('\n')}\n${close}${end}`;
}

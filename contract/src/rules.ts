/** What the contract says about its own methods, scopes, codes and fields, read once from the descriptors. */
import type { DescEnum, DescField, DescMethod } from '@bufbuild/protobuf';
import { getOption } from '@bufbuild/protobuf';
import { beyond } from '../gen/beyond.ts';
import { http } from '../gen/google/api/annotations_pb.ts';
import type { HttpRule } from '../gen/google/api/http_pb.ts';
import { V2 } from '../gen/proto/clarifai/api/service_pb.ts';
import { StatusCodeSchema } from '../gen/proto/clarifai/api/status/status_code_pb.ts';
import {
  cl_default_float,
  cl_show_if_empty,
  description,
} from '../gen/proto/clarifai/api/utils/extensions_pb.ts';
import {
  clarfai_exposed,
  clarifai_depending_scopes,
  SSchema,
} from '../gen/proto/clarifai/auth/scope/scope_pb.ts';
import { AuthTypeSchema } from '../gen/proto/clarifai/auth/types/types_pb.ts';
import {
  cl_auth_type,
  cl_depending_scopes,
  cl_private_field,
} from '../gen/proto/clarifai/auth/util/extension_pb.ts';
import { fixedDescriptions } from './fixed-descriptions.ts';

export type AuthKind = 'NoAuth' | 'KeyAuth' | 'PATAuth' | 'SessionTokenAuth' | 'AdminAuth';
export type Verb = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

/** One REST path of a method. `body` is '*', the name of the field the body fills, or '' for none. */
export interface Binding {
  readonly verb: Verb;
  readonly path: string;
  readonly body: string;
}

export interface MethodRule {
  readonly name: string;
  readonly localName: keyof typeof V2.method;
  readonly path: string;
  readonly desc: DescMethod;
  readonly auth: AuthKind;
  readonly scopes: readonly string[];
  readonly kind: 'unary' | 'server_streaming' | 'bidi_streaming';
  readonly bindings: readonly Binding[];
  /** True for the RPCs of newer contracts, which are not among the 298. */
  readonly beyondContract: boolean;
}

export interface ScopeRule {
  readonly name: string;
  readonly number: number;
  /** Only exposed scopes may be granted to a key. */
  readonly exposed: boolean;
  readonly dependingScopes: readonly string[];
}

export interface StatusCodeRule {
  readonly code: number;
  readonly name: string;
  readonly description: string;
}

const nameIn = (schema: DescEnum, number: number): string => schema.value[number]?.name ?? String(number);

function bindingOf(rule: HttpRule): Binding {
  const { pattern } = rule;
  if (pattern.case === undefined || pattern.case === 'custom')
    throw new Error('a binding without a plain verb');
  return { verb: pattern.case.toUpperCase() as Verb, path: pattern.value, body: rule.body };
}

function methodRule(desc: DescMethod): MethodRule {
  const main = getOption(desc, http);
  const rules = main.pattern.case === undefined ? [] : [main, ...main.additionalBindings];
  return {
    name: desc.name,
    localName: desc.localName as keyof typeof V2.method,
    path: `/${V2.typeName}/${desc.name}`,
    desc,
    auth: nameIn(AuthTypeSchema, getOption(desc, cl_auth_type)) as AuthKind,
    scopes: getOption(desc, cl_depending_scopes).map((scope) => nameIn(SSchema, scope)),
    kind: desc.methodKind as MethodRule['kind'],
    bindings: rules.map(bindingOf),
    beyondContract: beyond.includes(desc.name),
  };
}

/** Every RPC served, in the order of the contract: the 298 and then those of newer contracts. */
export const methodRules: readonly MethodRule[] = V2.methods.map(methodRule);

/** Names of the RPCs that only newer contracts have. */
export const beyondContract: readonly string[] = beyond;

const rulesByName = new Map(methodRules.map((rule) => [rule.name, rule]));

/** The rule of an RPC by its contract name (`PostInputs`). Throws for a name that is not in the contract. */
export function ruleOf(name: string): MethodRule {
  const rule = rulesByName.get(name);
  if (rule === undefined) throw new Error(`There is no RPC ${name} in the contract.`);
  return rule;
}

/** Scopes by name, without the undefined zero value. */
export const scopeRules: ReadonlyMap<string, ScopeRule> = new Map(
  SSchema.values
    .filter((value) => value.number !== 0)
    .map((value) => [
      value.name,
      {
        name: value.name,
        number: value.number,
        exposed: getOption(value, clarfai_exposed),
        dependingScopes: getOption(value, clarifai_depending_scopes).map((scope) => nameIn(SSchema, scope)),
      },
    ]),
);

/** `CONN_KEY_INVALID` → `Conn key invalid`: the words for codes nobody fixed a text for. */
function wordsOf(name: string): string {
  const words = name.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Status codes by number. Of aliases (several names for one number) the first declared counts. */
export const statusCodeRules: ReadonlyMap<number, StatusCodeRule> = new Map(
  [...StatusCodeSchema.values].reverse().map((value) => [
    value.number,
    {
      code: value.number,
      name: value.name,
      description: fixedDescriptions[value.number] ?? (getOption(value, description) || wordsOf(value.name)),
    },
  ]),
);

/** Name and fixed description of a status code; a code that is not in the contract is named by its number. */
export const statusRuleOf = (code: number): StatusCodeRule =>
  statusCodeRules.get(code) ?? { code, name: `CODE_${code}`, description: `Code ${code}` };

/** Whether REST answers show this field even when it is empty. */
export const showIfEmpty = (field: DescField): boolean => getOption(field, cl_show_if_empty);

/** What a float field that a JSON request leaves out counts as; undefined where zero is meant. */
export function defaultFloat(field: DescField): number | undefined {
  const value = getOption(field, cl_default_float);
  return value === 0 ? undefined : value;
}

/** Whether the field is for the platform's own use and must never leave it. */
export const isPrivate = (field: DescField): boolean => getOption(field, cl_private_field);

import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { defaultFloat, isPrivate, showIfEmpty } from '@fovea/contract';
import type { NameStyle } from '../json/index.ts';

export type JsonSchema = Record<string, unknown>;
export type Comments = Readonly<Record<string, string>>;

const scalarSchemas: Readonly<Record<ScalarType, JsonSchema>> = {
  [ScalarType.DOUBLE]: { type: 'number', format: 'double' },
  [ScalarType.FLOAT]: { type: 'number', format: 'float' },
  [ScalarType.INT32]: { type: 'integer', format: 'int32' },
  [ScalarType.SINT32]: { type: 'integer', format: 'int32' },
  [ScalarType.SFIXED32]: { type: 'integer', format: 'int32' },
  [ScalarType.UINT32]: { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 },
  [ScalarType.FIXED32]: { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 },
  [ScalarType.INT64]: { type: 'string', format: 'int64' },
  [ScalarType.SINT64]: { type: 'string', format: 'int64' },
  [ScalarType.SFIXED64]: { type: 'string', format: 'int64' },
  [ScalarType.UINT64]: { type: 'string', format: 'uint64' },
  [ScalarType.FIXED64]: { type: 'string', format: 'uint64' },
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.STRING]: { type: 'string' },
  [ScalarType.BYTES]: { type: 'string', contentEncoding: 'base64' },
};

const wellKnownSchemas: Readonly<Record<string, JsonSchema>> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Duration': { type: 'string', examples: ['12s'] },
  'google.protobuf.Struct': { type: 'object', additionalProperties: true },
  'google.protobuf.Value': {},
};

/** `clarifai.api.status.Status` → `status.Status`: short, and still unique. */
const schemaName = (typeName: string): string => typeName.replace(/^clarifai\.api\./, '');

/** Collects the schemas of messages and enums as they are referred to. */
export function openSchemas(names: NameStyle, comments: Comments) {
  const schemas: Record<string, JsonSchema> = {};

  function refTo(desc: DescMessage | DescEnum): JsonSchema {
    const name = schemaName(desc.typeName);
    if (schemas[name] === undefined) {
      // Named before it is described: messages that contain themselves refer to the name.
      schemas[name] = {};
      schemas[name] = desc.kind === 'message' ? messageSchema(desc) : enumSchema(desc, comments);
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  function messageSchema(desc: DescMessage): JsonSchema {
    const properties: Record<string, JsonSchema> = {};
    for (const field of desc.fields) {
      if (isPrivate(field)) continue;
      properties[names === 'snake' ? field.name : field.jsonName] = describedField(field);
    }
    return { type: 'object', ...described(comments[desc.typeName]), properties };
  }

  function describedField(field: DescField): JsonSchema {
    const fallback = defaultFloat(field);
    return {
      ...fieldSchema(field),
      ...described(comments[`${field.parent.typeName}.${field.name}`]),
      ...(fallback === undefined ? {} : { default: fallback }),
      ...(showIfEmpty(field) ? { 'x-shown-if-empty': true } : {}),
      ...(field.oneof === undefined ? {} : { 'x-one-of': field.oneof.name }),
    };
  }

  function fieldSchema(field: DescField): JsonSchema {
    switch (field.fieldKind) {
      case 'scalar':
        return scalarSchemas[field.scalar];
      case 'enum':
        return refTo(field.enum);
      case 'message':
        return typeSchema(field.message);
      case 'list':
        return { type: 'array', items: itemSchema(field) };
      case 'map':
        return { type: 'object', additionalProperties: itemSchema(field) };
    }
  }

  function itemSchema(field: DescField & { fieldKind: 'list' | 'map' }): JsonSchema {
    if (field.message !== undefined) return typeSchema(field.message);
    return field.enum === undefined ? scalarSchemas[field.scalar] : refTo(field.enum);
  }

  function typeSchema(desc: DescMessage): JsonSchema {
    const wellKnown = wellKnownSchemas[desc.typeName];
    if (wellKnown !== undefined) return wellKnown;
    const wrapped = desc.typeName.startsWith('google.protobuf.') ? desc.fields[0]?.scalar : undefined;
    return wrapped === undefined ? refTo(desc) : scalarSchemas[wrapped];
  }

  return { refTo, fieldSchema, schemas };
}

/** Answers carry the number; requests may also carry the number as text, or the name. */
function enumSchema(desc: DescEnum, comments: Comments): JsonSchema {
  return {
    type: ['integer', 'string'],
    ...described(comments[desc.typeName]),
    enum: [...new Set(desc.values.flatMap((value) => [value.number, value.name]))],
    'x-enum-varnames': desc.values.map((value) => `${value.number} ${value.name}`),
  };
}

export const described = (text: string | undefined): { description?: string } =>
  text === undefined ? {} : { description: text };

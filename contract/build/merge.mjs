// Merging of compiled descriptors. Source text is never edited or concatenated: two versions of one
// file disagree in order, comments and removed parts, while their descriptors add up by name.
import { create, createFileRegistry, getExtension, setExtension } from '@bufbuild/protobuf';
import { DescriptorProtoSchema, OneofDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

export const SERVICE = 'clarifai.api.V2';

/** Every message and enum of a set by full name, with the file that holds it. */
function typesByName(set) {
  const found = new Map();
  const visit = (file, scope, message, top) => {
    const name = `${scope}.${message.name}`;
    found.set(name, { file, kind: 'message', proto: message, top });
    for (const child of message.nestedType) visit(file, name, child, top);
    for (const child of message.enumType)
      found.set(`${name}.${child.name}`, { file, kind: 'enum', proto: child, top });
  };
  for (const file of set.file) {
    const scope = file.package === '' ? '' : `.${file.package}`;
    for (const message of file.messageType) visit(file, scope, message, `${scope}.${message.name}`);
    for (const proto of file.enumType) {
      const name = `${scope}.${proto.name}`;
      found.set(name, { file, kind: 'enum', proto, top: name });
    }
  }
  return found;
}

const serviceOf = (set) => set.file.flatMap((f) => f.service).find((s) => s.name === 'V2');

function referencedBy(message) {
  return [
    ...message.field.filter((f) => f.typeName !== '').map((f) => f.typeName),
    ...message.nestedType.flatMap(referencedBy),
  ];
}

/** HTTP bindings of a method, the main one first, as google.api.HttpRule messages. */
export function bindingsOf(method, http) {
  const rule = method.options && getExtension(method.options, http);
  return rule && rule.pattern.case !== undefined ? [rule, ...rule.additionalBindings] : [];
}

/**
 * "get /v2/models/{}": what makes two bindings the same. Names of path parameters do not count: 10.2 calls
 * one {item_id} that later versions call {runner_item_id}.
 */
export const bindingKey = (rule) =>
  `${rule.pattern.case} ${rule.pattern.value.replaceAll(/\{[^}]*\}/g, '{}')}`;

/** Extension descriptor of google.api.http, usable with every set that imports it. */
export const httpExtensionOf = (set) => createFileRegistry(set).getExtension('google.api.http');

/**
 * Adds to `base` what `other` has and `base` lacks.
 *
 * With `fields` false (an older version): missing V2 methods, the whole types these reach, and missing
 * HTTP bindings. With `fields` true (an overlay): also missing fields and enum values of same-named types;
 * a number or name that means something else in `base` is an error, never silently dropped.
 *
 * @returns names of the methods added
 */
export function mergeInto(base, other, { fields }) {
  const baseTypes = typesByName(base);
  const otherTypes = typesByName(other);
  const added = mergeMethods(base, other);
  const wanted = [...added.flatMap((m) => [m.inputType, m.outputType])];
  if (fields) {
    for (const [name, type] of otherTypes) {
      const mine = baseTypes.get(name);
      if (mine === undefined) continue;
      if (type.kind === 'enum') mergeEnum(name, mine.proto, type.proto);
      else wanted.push(...mergeFields(name, mine.proto, type.proto).map((f) => f.typeName));
    }
  }
  const seen = new Set();
  while (wanted.length > 0) {
    const name = wanted.pop();
    if (name === '' || baseTypes.has(name) || seen.has(name)) continue;
    seen.add(name);
    wanted.push(...addType(base, baseTypes, otherTypes, name));
  }
  completeImports(base, other);
  return added.map((m) => m.name);
}

/** Every file imports the files of the types it came to use, and the set holds them. */
function completeImports(base, other) {
  for (const file of other.file) {
    if (file.name.startsWith('google/protobuf/') && !base.file.some((f) => f.name === file.name))
      base.file.push(file);
  }
  const types = typesByName(base);
  for (const file of base.file) {
    const used = [
      ...file.messageType.flatMap(referencedBy),
      ...file.service.flatMap((s) => s.method.flatMap((m) => [m.inputType, m.outputType])),
    ];
    const imports = new Set([...file.dependency, ...used.map((name) => types.get(name).file.name)]);
    imports.delete(file.name);
    file.dependency = [...imports];
  }
}

function mergeMethods(base, other) {
  const theirs = serviceOf(other);
  if (theirs === undefined) return [];
  const mine = serviceOf(base);
  const http = httpExtensionOf(base);
  const byName = new Map(mine.method.map((m) => [m.name, m]));
  const added = [];
  for (const method of theirs.method) {
    const same = byName.get(method.name);
    if (same === undefined) {
      mine.method.push(method);
      added.push(method);
    } else mergeBindings(same, method, http);
  }
  return added;
}

function mergeBindings(mine, theirs, http) {
  const known = new Set(bindingsOf(mine, http).map(bindingKey));
  const missing = bindingsOf(theirs, http).filter((rule) => !known.has(bindingKey(rule)));
  if (missing.length === 0) return;
  const rule = getExtension(mine.options, http);
  for (const old of missing) rule.additionalBindings.push({ ...old, additionalBindings: [] });
  setExtension(mine.options, http, rule);
}

function mergeEnum(name, mine, theirs) {
  for (const value of theirs.value) {
    const same = mine.value.find((v) => v.name === value.name);
    if (same === undefined && !mine.value.some((v) => v.number === value.number)) mine.value.push(value);
    else if (same?.number !== value.number)
      throw new Error(`${name}.${value.name} = ${value.number} conflicts with the contract`);
  }
}

function mergeFields(name, mine, theirs) {
  const added = [];
  for (const field of theirs.field) {
    const same = mine.field.find((f) => f.name === field.name || f.number === field.number);
    if (same !== undefined) {
      if (same.name === field.name && same.number === field.number && same.type === field.type) continue;
      throw new Error(`${name}.${field.name} = ${field.number} conflicts with ${same.name} = ${same.number}`);
    }
    if (theirs.field !== mine.field && field.proto3Optional) {
      field.oneofIndex =
        mine.oneofDecl.push(create(OneofDescriptorProtoSchema, { name: `_${field.name}` })) - 1;
    } else if (Object.hasOwn(field, 'oneofIndex') && theirs.oneofDecl.length > 0) {
      const oneof = theirs.oneofDecl[field.oneofIndex].name;
      const index = mine.oneofDecl.findIndex((o) => o.name === oneof);
      if (index < 0) throw new Error(`${name}.${field.name}: no oneof ${oneof} in the contract`);
      field.oneofIndex = index;
    }
    mine.field.push(field);
    added.push(field);
  }
  return added;
}

/** Adds one missing type (for a nested one: its outermost missing ancestor) and returns what it refers to. */
function addType(base, baseTypes, otherTypes, name) {
  const type = otherTypes.get(name);
  if (type === undefined) throw new Error(`${name} is used but defined nowhere`);
  const holder = otherTypes.get(name.slice(0, name.lastIndexOf('.')));
  if (holder !== undefined && !baseTypes.has(nameOf(otherTypes, holder))) {
    return addType(base, baseTypes, otherTypes, nameOf(otherTypes, holder));
  }
  const file = base.file.find((f) => f.name === type.file.name);
  if (file === undefined) throw new Error(`${name}: no file ${type.file.name} in the contract`);
  const target = holder === undefined ? file : baseTypes.get(nameOf(otherTypes, holder)).proto;
  if (type.kind === 'enum') target.enumType.push(type.proto);
  else
    (target.$typeName === DescriptorProtoSchema.typeName ? target.nestedType : target.messageType).push(
      type.proto,
    );
  register(baseTypes, file, name, type);
  return type.kind === 'enum' ? [] : referencedBy(type.proto);
}

function nameOf(types, entry) {
  for (const [name, value] of types) if (value === entry) return name;
  return undefined;
}

function register(types, file, name, type) {
  types.set(name, { ...type, file });
  if (type.kind === 'enum') return;
  for (const child of type.proto.nestedType)
    register(types, file, `${name}.${child.name}`, { ...type, proto: child });
  for (const child of type.proto.enumType)
    types.set(`${name}.${child.name}`, { kind: 'enum', proto: child, file, top: name });
}

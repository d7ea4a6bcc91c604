// Comments of the protos by full name, for the served API description. Generated code carries none at run time.

// Field numbers of descriptor.proto that make up a location path.
const FILE = { message: 4, enum: 5, service: 6 };
const MESSAGE = { field: 2, nested: 3, enum: 4 };
const ENUM_VALUE = 2;
const METHOD = 2;

/** Full name of the element a source location points at, or undefined for parts of elements. */
function nameAt(file, path) {
  const [kind, index, ...rest] = path;
  if (kind === FILE.message) return inMessage(file.messageType[index], `${file.package}.`, rest);
  if (kind === FILE.enum) return inEnum(file.enumType[index], `${file.package}.`, rest);
  if (kind !== FILE.service) return undefined;
  const service = `${file.package}.${file.service[index].name}`;
  if (rest.length === 0) return service;
  return rest[0] === METHOD && rest.length === 2
    ? `${service}.${file.service[index].method[rest[1]].name}`
    : undefined;
}

function inMessage(message, scope, path) {
  const name = `${scope}${message.name}`;
  if (path.length === 0) return name;
  const [kind, index, ...rest] = path;
  if (kind === MESSAGE.nested) return inMessage(message.nestedType[index], `${name}.`, rest);
  if (kind === MESSAGE.enum) return inEnum(message.enumType[index], `${name}.`, rest);
  return kind === MESSAGE.field && rest.length === 0 ? `${name}.${message.field[index].name}` : undefined;
}

function inEnum(proto, scope, path) {
  const name = `${scope}${proto.name}`;
  if (path.length === 0) return name;
  return path[0] === ENUM_VALUE && path.length === 2 ? `${name}.${proto.value[path[1]].name}` : undefined;
}

// Notes that the authors of the protos wrote to each other.
const notForReaders = /\b(TODO|FIXME|NOTE: When updating|Next (free )?(index|tag|id|field))\b|^[/\-=*#]{3,}/i;

const tidied = (text) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !notForReaders.test(line))
    .join('\n')
    .trim();

/** Leading (or else trailing) comments of the API's own elements. */
export function commentsOf(set) {
  const found = {};
  for (const file of set.file) {
    if (!file.package.startsWith('clarifai.api')) continue;
    for (const location of file.sourceCodeInfo?.location ?? []) {
      const text = tidied(location.leadingComments || location.trailingComments);
      const name = text === '' ? undefined : nameAt(file, location.path);
      if (name !== undefined) found[name] = text;
    }
  }
  return found;
}

export { decodeJson, isObject, setFromText } from './decode.ts';
export { encodeJson, type NameStyle } from './encode.ts';
export { jsonFromWire } from './from-wire.ts';
export { parseJson } from './parse.ts';
export { decodeQuery, type QueryPairs, queryJson } from './query.ts';
export { snakeKeys } from './snake-keys.ts';
export { JsonTrouble } from './trouble.ts';

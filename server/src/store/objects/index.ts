export { openFileObjects } from './file-objects.ts';
export {
  type ByteRange,
  bytesOf,
  contentKey,
  type ObjectBody,
  ObjectDamaged,
  type ObjectFacts,
  type ObjectStore,
  ObjectTooLarge,
  type StoredObject,
} from './object-store.ts';
export { openS3Objects, type S3Config } from './s3-objects.ts';

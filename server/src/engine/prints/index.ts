/** Prints of pictures: finding the same picture again in other sizes, encodings and cuts. */

export { HashTable, probesOf } from './hash-table.ts';
export { type PicturePrint, printOf } from './print.ts';
export { isSamePicture, likenessOf } from './same-picture.ts';

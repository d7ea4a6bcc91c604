/** The first four bytes of each part of a ZIP archive (PKWARE APPNOTE 4.3), as a number with its lowest byte first. */
export const endMark = 0x06054b50;
export const end64Mark = 0x06064b50;
export const locatorMark = 0x07064b50;
export const entryMark = 0x02014b50;
export const localMark = 0x04034b50;
export const descriptorMark = 0x08074b50;

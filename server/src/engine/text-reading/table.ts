import { type Box, unit } from '../builtin/boxes.ts';

export interface FoundWord {
  text: string;
  /** How sure the reader is, 0..1. */
  value: number;
  /** In 0..1 of the picture. */
  box: Box;
}

/** A line of text: its words in reading order, with blanks between them. */
export interface FoundLine extends FoundWord {
  words: FoundWord[];
}

/** Words less sure than this are shapes that look like letters, not text. */
const wordValueMin = 0.3;
const wordLevel = '5';
const columnsOfTable = 12;

/**
 * Reads Tesseract's table of what it found: tab-separated level, page, block, paragraph, line, word, left, top,
 * width, height (in pixels), confidence (0..100) and text.
 *
 * @param size of the picture in pixels
 * @param isTurned the picture was shown upside down; boxes are turned back
 */
export function linesOfTable(
  table: string,
  size: { width: number; height: number },
  isTurned = false,
): FoundLine[] {
  const lines = new Map<string, FoundWord[]>();
  for (const row of table.split('\n')) {
    const cells = row.split('\t');
    if (cells[0] !== wordLevel || cells.length < columnsOfTable) continue;
    const text = cells
      .slice(columnsOfTable - 1)
      .join('')
      .trim();
    const value = Math.min(1, Math.max(0, Number(cells[10]) / 100));
    if (text === '' || !(value >= wordValueMin)) continue;
    const key = cells.slice(1, 5).join('/');
    const words = lines.get(key) ?? [];
    words.push({ text, value, box: boxOf(cells.slice(6, 10).map(Number), size, isTurned) });
    lines.set(key, words);
  }
  return [...lines.values()].map((words) => ({
    text: words.map((word) => word.text).join(' '),
    value: words.reduce((sum, word) => sum + word.value, 0) / words.length,
    box: around(words.map((word) => word.box)),
    words,
  }));
}

function boxOf(
  [left = 0, top = 0, width = 0, height = 0]: number[],
  size: { width: number; height: number },
  isTurned: boolean,
): Box {
  const box = {
    top: unit(top / size.height),
    left: unit(left / size.width),
    bottom: unit((top + height) / size.height),
    right: unit((left + width) / size.width),
  };
  if (!isTurned) return box;
  return { top: 1 - box.bottom, left: 1 - box.right, bottom: 1 - box.top, right: 1 - box.left };
}

const around = (boxes: readonly Box[]): Box => ({
  top: Math.min(...boxes.map((box) => box.top)),
  left: Math.min(...boxes.map((box) => box.left)),
  bottom: Math.max(...boxes.map((box) => box.bottom)),
  right: Math.max(...boxes.map((box) => box.right)),
});

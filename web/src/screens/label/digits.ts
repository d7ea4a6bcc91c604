import type { Editor } from '../../canvas/editor.ts';
import type { ConceptRef } from '../../canvas/shapes.ts';

const known = new WeakMap<Editor, readonly ConceptRef[]>();

/** The concepts that the digits 1 to 9 stand for, in the order of the list beside the canvas. */
export const digitConcepts = (editor: Editor): readonly ConceptRef[] => known.get(editor) ?? [];

export const setDigitConcepts = (editor: Editor, concepts: readonly ConceptRef[]): unknown =>
  known.set(editor, concepts.slice(0, 9));

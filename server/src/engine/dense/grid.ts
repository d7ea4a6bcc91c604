/** Which feature maps: see the recipes of the same names. */
export type DenseRecipe = 'cells-8' | 'cells-4' | 'patches';

/** Cells along each side of the square. */
export const gridOf: Readonly<Record<DenseRecipe, number>> = { 'cells-8': 40, 'cells-4': 80, patches: 40 };

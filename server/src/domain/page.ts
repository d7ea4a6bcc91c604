/** A page of a list: 1-based number, rows per page. */
export interface Page {
  readonly number: number;
  readonly size: number;
}

export const pageSizeDefault = 128;
export const pageSizeMax = 1000;

/**
 * Reads `page` and `per_page` (0 or absent means default; above 1000 is clamped).
 * Source: service.proto comments on per_page; SEMANTICS "per_page above 1000".
 */
export function readPage(
  asked: { page?: number; perPage?: number } | undefined,
  sizeDefault = pageSizeDefault,
): Page {
  const number = asked?.page && asked.page > 0 ? asked.page : 1;
  const size = asked?.perPage && asked.perPage > 0 ? Math.min(asked.perPage, pageSizeMax) : sizeDefault;
  return { number, size };
}

/** Position of the first row of a page, 0-based. */
export const firstPosition = (page: Page): number => (page.number - 1) * page.size;

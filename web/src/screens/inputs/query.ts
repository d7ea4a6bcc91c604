import type { Filter, GeoPoint, Rank, Search } from '@fovea/contract/rest';

/**
 * What is looked for, as it stands in the address and as the chips show it. Every part can be said in the query
 * string, except a picture that somebody dropped: that one is kept by the page under a name.
 */
export interface Query {
  readonly concepts: readonly { readonly id: string; readonly not: boolean }[];
  readonly text: string;
  readonly kinds: readonly Kind[];
  readonly status: StatusFilter | undefined;
  readonly datasets: readonly string[];
  /** Id of an input that others should look like. */
  readonly like: string;
  /** Name under which the page keeps a dropped picture. */
  readonly picture: string;
  /** Part of the picture that counts: top, left, bottom, right in 0..1. */
  readonly region: readonly [number, number, number, number] | undefined;
  readonly geo: { readonly latitude: number; readonly longitude: number; readonly km: number } | undefined;
  readonly scoreMin: number;
  /** RFC 3339: the state of the labels at that time. */
  readonly asOf: string;
}

export const kinds = ['image', 'video', 'audio', 'text'] as const;
export type Kind = (typeof kinds)[number];
export const statusFilters = { ready: 30000, waiting: 30001, working: 30003, failed: 30002 } as const;
export type StatusFilter = keyof typeof statusFilters;

const isKind = (word: string): word is Kind => (kinds as readonly string[]).includes(word);
const isStatus = (word: string | null): word is StatusFilter => word !== null && word in statusFilters;

export function queryFrom(query: URLSearchParams): Query {
  const numbers = (name: string) => query.get(name)?.split(',').map(Number) ?? [];
  const [top, left, bottom, right] = numbers('region');
  const [latitude, longitude, km] = numbers('near');
  const status = query.get('status');
  return {
    concepts: query
      .getAll('concept')
      .map((word) => ({ id: word.replace(/^!/, ''), not: word.startsWith('!') })),
    text: query.get('text') ?? '',
    kinds: query.getAll('kind').filter(isKind),
    status: isStatus(status) ? status : undefined,
    datasets: query.getAll('dataset'),
    like: query.get('like') ?? '',
    picture: query.get('picture') ?? '',
    region:
      top !== undefined && left !== undefined && bottom !== undefined && right !== undefined
        ? [top, left, bottom, right]
        : undefined,
    geo:
      latitude !== undefined && longitude !== undefined && km !== undefined
        ? { latitude, longitude, km }
        : undefined,
    scoreMin: Number(query.get('min')) || 0,
    asOf: query.get('asOf') ?? '',
  };
}

/** The query as the names and values of the address. */
export function queryWords(query: Query): Record<string, string | readonly string[] | undefined> {
  return {
    concept: query.concepts.map(({ id, not }) => (not ? `!${id}` : id)),
    text: query.text,
    kind: query.kinds,
    status: query.status,
    dataset: query.datasets,
    like: query.like,
    picture: query.picture,
    region: query.region?.map((edge) => edge.toFixed(4)).join(','),
    near: query.geo && [query.geo.latitude, query.geo.longitude, query.geo.km].join(','),
    min: query.scoreMin > 0 ? String(query.scoreMin) : undefined,
    asOf: query.asOf,
  };
}

export const isRanked = ({ like, picture, text }: Query): boolean =>
  like !== '' || picture !== '' || text !== '';

/** Whether nothing is looked for: then the list of all inputs is shown, which can be of any length. */
export const isEverything = (query: Query): boolean =>
  !isRanked(query) &&
  query.concepts.length + query.kinds.length + query.datasets.length === 0 &&
  query.status === undefined &&
  query.geo === undefined &&
  query.asOf === '';

/** The query as the contract says it. `picture`: base64 of the part that counts of a dropped picture. */
export function searchOf(query: Query, picture?: string): Search {
  const filters: Filter[] = query.concepts.map(({ id, not }) => ({
    annotation: { data: { concepts: [{ id, value: 1 }] } },
    ...(not ? { negate: true } : {}),
  }));
  if (query.kinds.length > 0)
    filters.push({ input: { data: Object.fromEntries(query.kinds.map((kind) => [kind, {}])) } });
  if (query.status) filters.push({ input: { status: { code: statusFilters[query.status] } } });
  if (query.datasets.length > 0) filters.push({ input: { dataset_ids: query.datasets } });
  if (query.geo) {
    const geo_point: GeoPoint = { latitude: query.geo.latitude, longitude: query.geo.longitude };
    filters.push({
      annotation: {
        data: { geo: { geo_point, geo_limit: { type: 'withinKilometers', value: query.geo.km } } },
      },
    });
  }
  const ranks: Rank[] = [];
  if (picture) ranks.push({ annotation: { data: { image: { base64: picture } } } });
  else if (query.like !== '') ranks.push({ annotation: { input_id: query.like } });
  if (query.text !== '') ranks.push({ annotation: { data: { text: { raw: query.text } } } });
  return {
    query: { filters, ranks },
    ...(query.asOf === '' ? {} : { as_of: query.asOf }),
    ...(query.scoreMin > 0 && ranks.length > 0 ? { min_value: query.scoreMin } : {}),
  };
}

const nothing: Query = queryFrom(new URLSearchParams());

/**
 * The query that a search of the contract stands for, or undefined where it says what the box cannot show.
 *
 * @param keep keeps a picture that is searched by, and names it
 */
export function queryOf(search: Search, keep: (picture: Blob) => string): Query | undefined {
  const parts: Parts = {
    asOf: search.as_of ?? '',
    scoreMin: search.min_value ?? 0,
  };
  const filtersKnown = (search.query?.filters ?? []).every((filter) => addFilter(parts, filter));
  const ranksKnown = (search.query?.ranks ?? []).every((rank) => addRank(parts, rank, keep));
  return filtersKnown && ranksKnown ? { ...nothing, ...parts } : undefined;
}

type Parts = Partial<{ -readonly [Name in keyof Query]: Query[Name] }>;

/** @returns whether the query can say it */
function addFilter(parts: Parts, { annotation, input, negate = false }: Filter): boolean {
  const { concepts = [], geo } = annotation?.data ?? {};
  const [concept] = concepts;
  if (concept?.id && concepts.length === 1 && concept.value === 1) {
    parts.concepts = [...(parts.concepts ?? []), { id: concept.id, not: negate }];
    return true;
  }
  if (negate) return false;
  if (geo?.geo_point && geo.geo_limit?.type === 'withinKilometers' && !parts.geo) {
    const { latitude = 0, longitude = 0 } = geo.geo_point;
    parts.geo = { latitude, longitude, km: geo.geo_limit.value ?? 0 };
    return true;
  }
  const media = Object.keys(input?.data ?? {});
  if (media.length > 0 && media.every(isKind) && !parts.kinds) {
    parts.kinds = media.filter(isKind);
    return true;
  }
  const status = Object.entries(statusFilters).find(([, code]) => code === input?.status?.code)?.[0] ?? null;
  if (isStatus(status) && !parts.status) {
    parts.status = status;
    return true;
  }
  if (input?.dataset_ids?.length && !parts.datasets) {
    parts.datasets = input.dataset_ids;
    return true;
  }
  return false;
}

function addRank(parts: Parts, { annotation, negate }: Rank, keep: (picture: Blob) => string): boolean {
  if (negate) return false;
  const { image, text } = annotation?.data ?? {};
  if (image?.base64 && !parts.picture) {
    const bytes = Uint8Array.from(atob(image.base64), (letter) => letter.charCodeAt(0));
    parts.picture = keep(new Blob([bytes]));
    return true;
  }
  if (text?.raw && !parts.text) {
    parts.text = text.raw;
    return true;
  }
  if (annotation?.input_id && !parts.like) {
    parts.like = annotation.input_id;
    return true;
  }
  return false;
}

export type ViewName = 'pictures' | 'train' | 'try';

/** Where in the page somebody is; all of it stands in the address, so that it can be kept and sent. */
export interface Place {
  readonly app: string;
  readonly view: ViewName;
  /** Concepts searched for; all of them must be there. */
  readonly concepts: readonly string[];
  /** Input whose look-alikes are searched for. */
  readonly like: string;
  /** Model tried, as user/app/model. */
  readonly model: string;
  /** Input that a model is tried on. */
  readonly input: string;
}

const views: readonly ViewName[] = ['pictures', 'train', 'try'];

export function readPlace(query = new URLSearchParams(location.search)): Place {
  const view = views.find((name) => name === query.get('view')) ?? 'pictures';
  return {
    app: query.get('app') ?? '',
    view,
    concepts: query.getAll('q').filter((name) => name !== ''),
    like: query.get('like') ?? '',
    model: query.get('model') ?? '',
    input: query.get('input') ?? '',
  };
}

function addressOf(place: Place): string {
  const query = new URLSearchParams();
  if (place.app) query.set('app', place.app);
  if (place.view !== 'pictures') query.set('view', place.view);
  for (const name of place.concepts) query.append('q', name);
  if (place.like) query.set('like', place.like);
  if (place.model) query.set('model', place.model);
  if (place.input) query.set('input', place.input);
  const text = query.toString();
  return text === '' ? '/' : `/?${text}`;
}

/** Goes to another place; `replace` where Back should not lead here. Listeners of `place` show it. */
export function go(change: Partial<Place>, replace = false): void {
  const address = addressOf({ ...readPlace(), ...change });
  if (address !== location.pathname + location.search) {
    if (replace) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
  }
  window.dispatchEvent(new Event('place'));
}

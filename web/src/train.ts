import { asTrouble, call, inApp } from './api.ts';
import { type CountedConcept, conceptsNow, loadConcepts } from './concepts.ts';
import { count, dot, fill, h, icon, iconButton } from './dom.ts';
import {
  allModels,
  isTrained,
  isTraining,
  keyOf,
  type Quality,
  readQuality,
  readVersion,
  train,
  trainable,
} from './models.ts';
import { confirmed, emptyState, tell, tellTrouble, troubleCard } from './notices.ts';
import { go } from './place.ts';
import { code, type Model, type ModelVersion, wordsOf } from './wire.ts';

const pollMs = 800;
/** Fewer examples than this teach little; it is said, not forbidden. */
const examplesWanted = 5;

const shownNumbers: readonly (readonly [string, string])[] = [
  ['top1_accuracy', 'accuracy'],
  ['macro_avg_f1_score', 'F1'],
  ['macro_avg_roc_auc', 'ROC AUC'],
  ['macro_avg_precision', 'precision'],
  ['macro_avg_recall', 'recall'],
];

/** Choose concepts, train a classifier on the labelled pictures, watch it, see how good it is. */
export function openTrain() {
  const form = h('section', { class: 'card', 'aria-label': 'New training' });
  const list = h('section', { 'aria-label': 'Models of this app' });
  const element = h(
    'div',
    { class: 'train page' },
    h(
      'div',
      { class: 'intro' },
      h('h1', {}, 'Train a classifier'),
      h(
        'p',
        { class: 'quiet' },
        'It learns from the labels of your pictures and then recognises the concepts in others. Training takes seconds, on this machine.',
      ),
    ),
    form,
    list,
  );
  let models: Model[] = [];
  let chosen = new Set<string>();
  let isFresh = true;
  let isExclusive = true;
  const qualities = new Map<string, Quality | null>();
  const measured = new Set<string>();
  let timer = 0;

  function showForm(): void {
    const concepts = conceptsNow().filter(({ positive }) => positive > 0);
    if (concepts.length === 0) {
      fill(
        form,
        emptyState({
          title: 'Nothing to learn from yet',
          words: 'Label a few pictures first: at least five of each concept make a useful start.',
          action: h(
            'button',
            {
              type: 'button',
              class: 'primary',
              on: { click: () => go({ view: 'pictures', concepts: [], like: '' }) },
            },
            'Label pictures',
          ),
          more: h('a', { href: '/docs#PostModelVersions' }, 'Training with the API'),
        }),
      );
      return;
    }
    if (isFresh) chosen = new Set(concepts.filter(({ positive }) => positive >= 2).map(({ id }) => id));
    isFresh = false;
    const most = Math.max(...concepts.map(({ positive }) => positive));
    const id = h('input', {
      type: 'text',
      id: 'model-id',
      value: freeId(models),
      required: true,
      maxlength: '64',
      spellcheck: 'false',
      autocomplete: 'off',
    });
    const hint = h('p', { class: 'quiet small', id: 'model-hint' });
    const start = h('button', { type: 'submit', class: 'primary' }, icon('train'), 'Train');
    const exclusive = h('input', { type: 'radio', name: 'kind', value: 'one', checked: isExclusive });
    const several = h('input', { type: 'radio', name: 'kind', value: 'many', checked: !isExclusive });
    const check = () => {
      const words = readiness(
        concepts.filter((concept) => chosen.has(concept.id)),
        exclusive.checked,
      );
      const taken = models.find((model) => model.id === id.value.trim());
      hint.textContent = [words.text, taken ? `“${taken.id}” exists: this adds a version to it.` : '']
        .filter(Boolean)
        .join(' ');
      start.disabled = !words.isEnough || id.value.trim() === '';
    };
    const toggle = (concept: CountedConcept, box: HTMLInputElement) => {
      if (box.checked) chosen.add(concept.id);
      else chosen.delete(concept.id);
      check();
    };
    fill(
      form,
      h(
        'form',
        {
          on: {
            submit: (event: SubmitEvent) => {
              event.preventDefault();
              isExclusive = exclusive.checked;
              void begin(id.value.trim(), start);
            },
            input: check,
          },
        },
        h(
          'fieldset',
          {},
          h('legend', {}, 'Concepts to recognise'),
          h(
            'ul',
            { class: 'plain counts' },
            concepts.map((concept) => conceptRow(concept, most, chosen.has(concept.id), toggle)),
          ),
        ),
        h(
          'fieldset',
          { class: 'row wrap' },
          h('legend', {}, 'A picture shows'),
          h('label', {}, exclusive, 'exactly one of them'),
          h('label', {}, several, 'any number of them'),
        ),
        h(
          'div',
          { class: 'row wrap bottom' },
          h('div', { class: 'field' }, h('label', { for: 'model-id' }, 'Name of the model'), id),
          start,
        ),
        hint,
      ),
    );
    check();
  }

  async function begin(id: string, button: HTMLButtonElement): Promise<void> {
    button.disabled = true;
    const known = models.find((model) => model.id === id);
    if (known && known.model_type_id !== trainable) {
      tell(`“${id}” is a model of another kind (${known.model_type_id}). Choose another name.`);
      button.disabled = false;
      return;
    }
    try {
      await train({ id, isNew: !known, conceptIds: [...chosen], exclusive: isExclusive });
      await refresh();
      form.querySelector<HTMLElement>('[type=submit]')?.focus({ preventScroll: true });
      list.scrollIntoView({ behavior: 'smooth', block: 'nearest' });
    } catch (thrown) {
      tellTrouble(thrown);
    } finally {
      button.disabled = false;
    }
  }

  async function refresh(): Promise<void> {
    try {
      ({ own: models } = await allModels());
      showForm();
      showList();
      watch();
    } catch (thrown) {
      fill(
        list,
        troubleCard(asTrouble(thrown), () => void refresh()),
      );
    }
  }

  function showList(): void {
    const focused = (document.activeElement as HTMLElement | null)?.dataset['key'];
    fill(
      list,
      models.length > 0 && [
        h('h2', {}, 'Models of this app'),
        h('ul', { class: 'plain stack' }, models.map(modelCard)),
      ],
    );
    for (const again of list.querySelectorAll<HTMLElement>('[data-key]')) {
      if (again.dataset['key'] === focused) again.focus();
    }
  }

  function modelCard(model: Model): HTMLElement {
    const version = model.model_version;
    const status = version?.status;
    const training = version !== undefined && isTraining(version);
    const failed =
      status !== undefined &&
      !training &&
      status.code !== code.modelTrained &&
      status.code !== code.modelUntrained;
    const progress = h('progress', { max: '100', 'aria-label': `Training of ${model.id}` });
    if (status?.percent_completed) progress.value = status.percent_completed;
    return h(
      'li',
      { class: `card model ${training ? 'busy' : ''}`, 'data-model': model.id },
      h(
        'div',
        { class: 'row wrap' },
        h('h3', {}, model.id),
        h(
          'span',
          { class: `badge ${failed ? 'failed' : training ? 'processing' : 'done'}`, role: 'status' },
          stateWords(version),
        ),
        h('span', { class: 'grow' }),
        isTrained(model) &&
          h(
            'button',
            {
              type: 'button',
              'data-key': `try ${model.id}`,
              on: { click: () => go({ view: 'try', model: keyOf(model) }) },
            },
            icon('try'),
            'Try it',
          ),
        iconButton('trash', `Delete ${model.id}`, () => void removeModel(model), {
          'data-key': `delete ${model.id}`,
        }),
      ),
      training && progress,
      failed && h('p', { class: 'why' }, wordsOf(status)),
      version && h('p', { class: 'quiet small' }, factsOf(model, version)),
      isTrained(model) && version && quality(version),
    );
  }

  function quality(version: ModelVersion): HTMLElement | undefined {
    const found = qualities.get(version.id);
    if (found === undefined) return h('p', { class: 'quiet small' }, 'Reading its accuracy…');
    if (!found)
      return h(
        'p',
        { class: 'quiet small' },
        'Its accuracy was not measured: more examples of each concept are needed.',
      );
    const numbers = shownNumbers.flatMap(([key, name]) => {
      const value = found.summary[key];
      return value === undefined
        ? []
        : [
            h(
              'div',
              { class: 'number' },
              h('strong', {}, value.toFixed(3)),
              h('span', { class: 'quiet' }, name),
            ),
          ];
    });
    return h(
      'div',
      { class: 'quality' },
      h('div', { class: 'row wrap numbers' }, numbers),
      h('p', { class: 'quiet small' }, found.words),
    );
  }

  /** Follows trainings until they end, and reads how good the trained ones are. */
  function watch(): void {
    window.clearTimeout(timer);
    const open = models.filter((model) => model.model_version && isTraining(model.model_version));
    for (const model of models) if (isTrained(model)) void measure(model);
    if (open.length === 0 || !element.isConnected) return;
    timer = window.setTimeout(async () => {
      const read = await Promise.all(
        open.map(({ id, model_version: version }) =>
          readVersion(id, version?.id ?? '').catch(() => undefined),
        ),
      );
      models = models.map((model) => {
        const version = read.find((one) => one?.id === model.model_version?.id);
        return version ? { ...model, model_version: { ...model.model_version, ...version } } : model;
      });
      for (const model of models) {
        if (isTrained(model) && open.some(({ id }) => id === model.id)) tell(`“${model.id}” is trained.`);
      }
      showList();
      watch();
    }, pollMs);
  }

  async function measure(model: Model): Promise<void> {
    const version = model.model_version;
    if (!version || qualities.has(version.id) || measured.has(version.id)) return;
    measured.add(version.id);
    // The list leaves out where the log is.
    const whole = await readVersion(model.id, version.id).catch(() => version);
    qualities.set(version.id, (await readQuality(whole).catch(() => undefined)) ?? null);
    showList();
  }

  async function removeModel(model: Model): Promise<void> {
    if (
      !(await confirmed(
        `Delete the model “${model.id}”?`,
        'All its versions will be deleted. Pictures and labels stay. This cannot be undone.',
        'Delete',
      ))
    )
      return;
    try {
      await call('DELETE', inApp(`models/${encodeURIComponent(model.id)}`), undefined, {
        what: 'The model could not be deleted.',
      });
      tell(`“${model.id}” deleted.`);
      await refresh();
    } catch (thrown) {
      tellTrouble(thrown);
    }
  }

  return {
    element,
    async show(): Promise<void> {
      fill(list, h('p', { class: 'quiet' }, 'Loading…'));
      await loadConcepts().catch(tellTrouble);
      await refresh();
    },
    /** Another app: what was chosen belongs to the one before. */
    forget(): void {
      isFresh = true;
      isExclusive = true;
      models = [];
      qualities.clear();
      measured.clear();
    },
  };
}

function conceptRow(
  concept: CountedConcept,
  most: number,
  isChosen: boolean,
  toggle: (concept: CountedConcept, box: HTMLInputElement) => void,
): HTMLElement {
  const box = h('input', { type: 'checkbox', checked: isChosen });
  box.addEventListener('change', () => toggle(concept, box));
  const bar = h('span', { class: 'bar', 'aria-hidden': 'true' });
  bar.style.setProperty('--share', String(concept.positive / most));
  return h(
    'li',
    {},
    h(
      'label',
      {},
      box,
      dot(concept.id),
      h('span', { class: 'grow cut' }, concept.name),
      bar,
      h('span', { class: 'quiet count' }, count(concept.positive, 'picture')),
    ),
  );
}

function readiness(
  concepts: readonly CountedConcept[],
  exclusive: boolean,
): { isEnough: boolean; text: string } {
  if (concepts.length === 0) return { isEnough: false, text: 'Choose at least one concept.' };
  if (exclusive && concepts.length < 2)
    return {
      isEnough: false,
      text: 'To tell concepts apart, choose at least two; or let a picture show any number of them.',
    };
  const few = concepts.filter(({ positive }) => positive < examplesWanted);
  if (few.length === 0) return { isEnough: true, text: '' };
  const names = few
    .slice(0, 3)
    .map(({ name }) => `“${name}”`)
    .join(', ');
  return {
    isEnough: true,
    text: `${names}${few.length > 3 ? ' and others' : ''}: fewer than ${examplesWanted} pictures, so expect mistakes.`,
  };
}

function freeId(models: readonly Model[]): string {
  const taken = new Set(models.map(({ id }) => id));
  for (let number = 1; ; number++) {
    const id = number === 1 ? 'classifier' : `classifier-${number}`;
    if (!taken.has(id)) return id;
  }
}

function stateWords(version: ModelVersion | undefined): string {
  switch (version?.status?.code) {
    case code.modelTrained:
      return 'trained';
    case code.modelTraining: {
      const percent = version.status.percent_completed;
      return percent ? `training, ${percent} %` : 'training';
    }
    case code.modelQueued:
      return 'waiting to train';
    case code.modelUntrained:
      return 'not trained';
    default:
      return 'failed';
  }
}

function factsOf(model: Model, version: ModelVersion): string {
  const facts = [model.model_type_id ?? ''];
  if (version.active_concept_count) facts.push(count(version.active_concept_count, 'concept'));
  if (version.completed_at && version.created_at) {
    const seconds = (Date.parse(version.completed_at) - Date.parse(version.created_at)) / 1000;
    facts.push(`trained in ${seconds.toFixed(1)} s`);
  }
  if (version.created_at) facts.push(new Date(version.created_at).toLocaleString());
  return facts.filter(Boolean).join(' · ');
}

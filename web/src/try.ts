import { asTrouble, wasAborted } from './api.ts';
import { fill, h, icon } from './dom.ts';
import { base64Of, choose, isPicture, pictureIn } from './files.ts';
import { readInputs } from './find-pictures.ts';
import { allModels, isOff, isTrained, keyOf, limitsOf, originalOf, predict, worthTrying } from './models.ts';
import { emptyState, tell, tellTrouble, troubleCard } from './notices.ts';
import { go, type Place } from './place.ts';
import { showOutput } from './show-output.ts';
import { type Input, type Model, mediaPath, nameOf } from './wire.ts';

/** One picture, one model: what the model says about it. */
export function openTry() {
  const select: HTMLSelectElement = h('select', {
    id: 'model',
    on: { change: () => go({ model: select.value }, true) },
  });
  const about = h('p', { class: 'quiet small about' });
  const stage = h('div', { class: 'stage drop' });
  const said = h('div', {
    class: 'said',
    role: 'region',
    'aria-label': 'What the model says',
    'aria-live': 'polite',
  });
  const chooseOne = async () => {
    const [picked] = await choose();
    if (picked) take(picked.file);
  };
  const element = h(
    'div',
    { class: 'try page' },
    h(
      'div',
      { class: 'intro' },
      h('h1', {}, 'Try a model'),
      h('p', { class: 'quiet' }, 'Drop a picture, or open one of yours. What you drop here is not stored.'),
    ),
    h(
      'div',
      { class: 'row wrap bottom' },
      h('div', { class: 'field grow' }, h('label', { for: 'model' }, 'Model'), select),
      h(
        'button',
        { type: 'button', class: 'primary', on: { click: chooseOne } },
        icon('picture'),
        'Choose a picture',
      ),
    ),
    about,
    h('div', { class: 'two' }, stage, said),
  );
  let models: Model[] = [];
  let file: File | undefined;
  let input: Input | undefined;
  let shownKey = '';
  let aborter = new AbortController();
  let pictureUrl = '';

  stage.addEventListener('dragover', (event) => {
    event.preventDefault();
    stage.classList.add('target');
  });
  stage.addEventListener('dragleave', () => stage.classList.remove('target'));

  /** A picture of this computer: it goes to the model and nowhere else. */
  function take(picked: File | undefined): void {
    stage.classList.remove('target');
    if (!picked || !isPicture(picked)) {
      tell('That is not a picture. JPEG, PNG, WebP, GIF, BMP and TIFF are taken.');
      return;
    }
    file = picked;
    shownKey = '';
    go({ input: '' }, true);
  }

  async function show(place: Place): Promise<void> {
    if (models.length === 0) await readModels();
    if (place.input !== '') file = undefined;
    const key = JSON.stringify([place.app, place.model, place.input]);
    if (key === shownKey) return;
    shownKey = key;
    const model = models.find((one) => keyOf(one) === place.model) ?? models[0];
    select.value = model ? keyOf(model) : '';
    about.textContent = model ? [model.description, limitsOf(model)].filter(Boolean).join(' ') : '';
    await run(model, place.input);
  }

  async function readModels(): Promise<void> {
    try {
      const { own, platform } = await allModels();
      const trained = own.filter(isTrained);
      const shown = worthTrying(platform);
      models = [...trained, ...shown];
      const group = (label: string, some: readonly Model[]) =>
        some.length > 0 && h('optgroup', { label }, some.map(option));
      fill(select, group('Trained in this app', trained), group('Built in', shown));
    } catch (thrown) {
      tellTrouble(thrown);
    }
  }

  async function run(model: Model | undefined, inputId: string): Promise<void> {
    aborter.abort();
    aborter = new AbortController();
    const { signal } = aborter;
    input = undefined;
    if (!file && inputId === '') return showNothing();
    fill(said, h('p', { class: 'quiet' }, 'Asking the model…'));
    try {
      if (!file) [input] = await readInputs([inputId]);
      if (signal.aborted) return;
      if (!file && !input) {
        showNothing();
        return tell('That picture is no longer in this app.');
      }
      const picture = showPicture();
      if (!model) return fill(said, h('p', {}, 'There is no model to try.'));
      const started = performance.now();
      const output = await predict(model, await pictureFor(), signal);
      if (signal.aborted) return;
      showOutput({ output, stage: picture, said, model, ms: performance.now() - started });
    } catch (thrown) {
      if (wasAborted(thrown) || signal.aborted) return;
      fill(
        said,
        troubleCard(asTrouble(thrown), () => run(model, inputId)),
      );
    }
  }

  async function pictureFor(): Promise<{ base64: string } | { url: string }> {
    if (file) return { base64: await base64Of(file) };
    const path = mediaPath(input?.data?.image?.hosted, 'orig');
    // The bytes rather than the address: a model elsewhere may not read the pictures of this app.
    if (path) return { base64: await base64Of(await (await fetch(path)).blob()) };
    return { url: (input && originalOf(input)) ?? '' };
  }

  function showPicture(): HTMLElement {
    if (pictureUrl !== '') URL.revokeObjectURL(pictureUrl);
    pictureUrl = file ? URL.createObjectURL(file) : '';
    const src = file ? pictureUrl : mediaPath(input?.data?.image?.hosted, 'large');
    const frame = h(
      'div',
      { class: 'frame' },
      h('img', { src, alt: file?.name ?? (input ? nameOf(input) : '') }),
    );
    fill(stage, frame);
    return frame;
  }

  function showNothing(): void {
    const picture = h(
      'button',
      { type: 'button', class: 'primary', on: { click: chooseOne } },
      icon('picture'),
      'Choose a picture',
    );
    fill(
      stage,
      emptyState({
        title: 'Drop a picture here',
        words: 'Or paste one, or choose one of this app: select it and press “Try a model”.',
        action: picture,
      }),
    );
    fill(said);
  }

  return {
    element,
    show,
    take,
    droppedFiles: (transfer: DataTransfer | null) => take(pictureIn(transfer)),
    /** Models may have been trained or deleted meanwhile. */
    forget(): void {
      models = [];
      shownKey = '';
    },
  };
}

function option(model: Model): HTMLElement {
  const name = model.name || model.id;
  return h(
    'option',
    { value: keyOf(model), disabled: isOff(model) },
    isOff(model) ? `${name} (switched off on this server)` : name,
  );
}

import type { Concept, Model } from '@fovea/contract/rest';
import { rpc } from '../../api/client.ts';
import { type AppName, useRpc } from '../../api/queries.ts';
import { conceptRefOf, geometryOf } from '../../canvas/annotations.ts';
import type { Editor } from '../../canvas/editor.ts';
import type { Shape } from '../../canvas/shapes.ts';
import { base64Of } from '../../upload/files.ts';

/** A shape that a model sees, and how sure it is. */
export interface Suggested {
  readonly shape: Shape;
  readonly value: number;
}

/** What a model says of the picture that an editor shows. */
export interface Said {
  readonly shapes: readonly Suggested[];
  /** Of the whole picture. */
  readonly concepts: readonly Concept[];
}

/** Models of these types that can be asked: those of the app, and those of the platform. */
export function useModelsOf(app: AppName, types: readonly string[]) {
  const own = useRpc('ListModels', { user_app_id: app, trained_only: true, per_page: 100 });
  const builtIn = useRpc('ListModels', {
    user_app_id: { user_id: 'clarifai', app_id: 'main' },
    per_page: 100,
  });
  const models = [...(own.data?.models ?? []), ...(builtIn.data?.models ?? [])].filter((model) =>
    types.includes(model.model_type_id ?? ''),
  );
  return { models, queries: [own, builtIn], isKnown: own.data !== undefined && builtIn.data !== undefined };
}

/** An id that tells a model from those of other apps. */
export const choiceOf = ({ app_id, id }: Model): string => `${app_id}/${id}`;

/** Has a model look at the picture as it is shown. */
export async function askModel(model: Model, editor: Editor): Promise<Said> {
  const { outputs = [] } = await rpc('PostModelOutputs', {
    user_app_id: { user_id: model.user_id ?? '', app_id: model.app_id ?? '' },
    model_id: model.id ?? '',
    inputs: [{ data: { image: { base64: await pictureAsBase64(editor) } } }],
  });
  const data = outputs[0]?.data;
  const { frame } = editor.snapshot();
  const shapes = await Promise.all(
    (data?.regions ?? []).map(async (region, i): Promise<Suggested | undefined> => {
      const geometry = await geometryOf(region, editor.size);
      const concept = region.data?.concepts?.[0];
      if (!geometry) return undefined;
      const shape: Shape = {
        id: `suggestion-${i}`,
        geometry,
        concept: concept ? conceptRefOf(concept) : undefined,
        isLocked: false,
        frame,
        trackId: undefined,
        ...(region.data?.text?.raw ? { text: region.data.text.raw } : {}),
      };
      return { value: concept?.value ?? region.value ?? 0, shape };
    }),
  );
  return {
    shapes: shapes.filter((suggested) => suggested !== undefined),
    concepts: data?.concepts ?? [],
  };
}

/** The picture as the browser shows it: turned upright, so that boxes come back in the same place. */
async function pictureAsBase64({ size, stage }: Editor): Promise<string> {
  const canvas = new OffscreenCanvas(size.width, size.height);
  if (stage.picture) canvas.getContext('2d')?.drawImage(stage.picture, 0, 0, size.width, size.height);
  return base64Of(await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 }));
}

import type { Annotation, Input } from '@fovea/contract/rest';
import { useQuery } from '@tanstack/react-query';
import { rpc } from '../api/client.ts';
import { conceptName, labelsOf } from '../api/media.ts';
import { useAppName } from '../api/queries.ts';
import { colorOf } from './colors.ts';

/**
 * Shapes and labels of an input, over its picture in the grid.
 *
 * @param isStill false while pictures fly by: shapes are not asked for then
 */
export function Overlay({ input, isStill }: { input: Input; isStill: boolean }) {
  const app = useAppName();
  const found = useQuery({
    queryKey: ['ListAnnotations', 'overlay', app, input.id],
    queryFn: ({ signal }) =>
      rpc(
        'ListAnnotations',
        { user_app_id: app, input_ids: [input.id ?? ''], per_page: 100 },
        { signal, quiet: true },
      ),
    staleTime: 30_000,
    enabled: isStill,
  });
  const annotations = found.data?.annotations ?? [];
  const labels = labelsOf(input.data, ...annotations.map(({ data }) => data));
  return (
    <>
      <svg className="overlay" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
        {annotations.map((annotation) => (
          <Shapes key={annotation.id} annotation={annotation} />
        ))}
      </svg>
      {labels.length > 0 && (
        <span className="grid-labels">
          {labels.slice(0, 3).map((concept) => (
            <span key={concept.id} className="chip">
              {conceptName(concept)}
            </span>
          ))}
        </span>
      )}
    </>
  );
}

function Shapes({ annotation }: { annotation: Annotation }) {
  return annotation.data?.regions?.map((region) => {
    const color = colorOf(region.data?.concepts?.[0]?.id ?? '');
    const box = region.region_info?.bounding_box;
    const polygon = region.region_info?.polygon?.points;
    if (box)
      return (
        <rect
          key={region.id}
          x={box.left_col}
          y={box.top_row}
          width={(box.right_col ?? 0) - (box.left_col ?? 0)}
          height={(box.bottom_row ?? 0) - (box.top_row ?? 0)}
          stroke={color}
        />
      );
    if (polygon)
      return (
        <polygon
          key={region.id}
          points={polygon.map(({ row, col }) => `${col ?? 0},${row ?? 0}`).join(' ')}
          stroke={color}
        />
      );
    return null;
  });
}

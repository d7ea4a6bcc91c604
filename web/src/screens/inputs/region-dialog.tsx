import { type PointerEvent, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/fields.tsx';

/** Edges of a part of a picture: top, left, bottom, right in 0..1. */
export type Part = readonly [number, number, number, number];

const edges = ['top', 'left', 'bottom', 'right'] as const;
const clamp = (value: number): number => Math.min(1, Math.max(0, value));

/** A picture of which the part to search by is drawn, or said in percent. */
export function RegionDialog({
  picture,
  part: first,
  onChoose,
  onClose,
}: {
  picture: Blob;
  part: Part | undefined;
  onChoose: (part: Part | undefined) => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const [path, setPath] = useState('');
  const [part, setPart] = useState<Part>(first ?? [0, 0, 1, 1]);
  const began = useRef<{ x: number; y: number }>(undefined);
  useEffect(() => {
    const made = URL.createObjectURL(picture);
    setPath(made);
    return () => URL.revokeObjectURL(made);
  }, [picture]);
  const placeOf = (event: PointerEvent) => {
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    return { x: clamp((event.clientX - left) / width), y: clamp((event.clientY - top) / height) };
  };
  const draw = (event: PointerEvent) => {
    const from = began.current;
    if (!from) return;
    const to = placeOf(event);
    setPart([Math.min(from.y, to.y), Math.min(from.x, to.x), Math.max(from.y, to.y), Math.max(from.x, to.x)]);
  };
  const [top, left, bottom, right] = part;
  const isPart = bottom - top > 0.005 && right - left > 0.005;
  const isWhole = top === 0 && left === 0 && bottom === 1 && right === 1;
  return (
    <Dialog
      title={t('search.regionTitle')}
      isOpen
      onClose={onClose}
      size="large"
      actions={
        <>
          <Button onPress={() => onChoose(undefined)}>{t('search.regionWhole')}</Button>
          <Button
            look="primary"
            icon="search"
            isDisabled={!isPart}
            onPress={() => onChoose(isWhole ? undefined : part)}
          >
            {t('search.regionSearch')}
          </Button>
        </>
      }
    >
      <p className="quiet">{t('search.regionWords')}</p>
      <div
        className="region-picture"
        onPointerDown={(event) => {
          event.preventDefault();
          event.currentTarget.setPointerCapture(event.pointerId);
          began.current = placeOf(event);
        }}
        onPointerMove={draw}
        onPointerUp={(event) => {
          draw(event);
          began.current = undefined;
        }}
      >
        {path && <img src={path} alt={t('search.picture')} draggable={false} />}
        <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
          <path
            className="region-out"
            fillRule="evenodd"
            d={`M0 0H1V1H0ZM${left} ${top}H${right}V${bottom}H${left}Z`}
          />
          <rect x={left} y={top} width={right - left} height={bottom - top} className="region-in" />
        </svg>
      </div>
      <div className="row region-fields">
        {edges.map((edge, i) => (
          <TextField
            key={edge}
            label={t(`search.edge.${edge}`)}
            inputMode="numeric"
            value={String(Math.round((part[i] ?? 0) * 100))}
            onChange={(value) =>
              setPart(
                part.map((old, j) => (i === j ? clamp(Number(value) / 100 || 0) : old)) as unknown as Part,
              )
            }
          />
        ))}
      </div>
    </Dialog>
  );
}

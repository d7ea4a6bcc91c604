import { useQuery } from '@tanstack/react-query';
import { geoCircle, geoDistance, geoEqualEarth, geoGraticule10, geoPath } from 'd3-geo';
import { type KeyboardEvent, type PointerEvent, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import world from 'world-atlas/land-110m.json';
import { rpc } from '../../api/client.ts';
import { nameOf } from '../../api/media.ts';
import { useAppName } from '../../api/queries.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/fields.tsx';
import { TroubleNote } from '../../ui/states.tsx';
import { pictureOf } from './pictures.ts';
import { type Query, searchOf } from './query.ts';

const size = { width: 960, height: 470 };
const earthKm = 6371.0088;
const pointsMax = 1000;
const zoomLimits = { min: 1, max: 400 };

const topology = world as unknown as Topology<{ land: GeometryCollection }>;
const land = feature(topology, topology.objects.land);

interface Circle {
  readonly latitude: number;
  readonly longitude: number;
  readonly km: number;
}

/** Anywhere on earth: what has a place at all. */
const anywhere = {
  annotation: {
    data: {
      geo: {
        geo_box: [
          { geo_point: { latitude: -90, longitude: -180 } },
          { geo_point: { latitude: 90, longitude: 180 } },
        ],
      },
    },
  },
};

/** Where the inputs that are looked for lie, and a circle drawn to narrow them. The map is part of the page: no tiles. */
export default function MapDialog({
  query,
  onChoose,
  onClose,
}: {
  query: Query;
  onChoose: (circle: Circle | undefined) => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const [circle, setCircle] = useState<Circle | undefined>(query.geo);
  const [view, setView] = useState({ zoom: 1, center: [0, 0] as readonly [number, number] });
  const began = useRef<readonly [number, number]>(undefined);
  const panned = useRef<{ x: number; y: number; center: readonly [number, number] }>(undefined);
  const map = useRef<SVGSVGElement>(null);
  const found = useQuery({
    queryKey: ['PostInputsSearches', 'map', app, { ...query, geo: undefined }],
    queryFn: async ({ signal }) => {
      const search = searchOf({ ...query, geo: undefined }, await pictureOf(query));
      const filters = [...(search.query?.filters ?? []), anywhere];
      const reply = await rpc(
        'PostInputsSearches',
        {
          user_app_id: app,
          searches: [{ ...search, query: { ...search.query, filters } }],
          pagination: { page: 1, per_page: pointsMax },
        },
        { signal, quiet: true },
      );
      return (reply.hits ?? []).flatMap(({ input }) => {
        const { latitude = 0, longitude = 0 } = input?.data?.geo?.geo_point ?? {};
        return input ? [{ id: input.id ?? '', name: nameOf(input), latitude, longitude }] : [];
      });
    },
  });
  const projection = useMemo(
    () =>
      geoEqualEarth()
        .fitSize([size.width, size.height], { type: 'Sphere' })
        .center([0, view.center[1]])
        .rotate([-view.center[0], 0])
        .translate([size.width / 2, size.height / 2])
        .scale(geoEqualEarth().fitSize([size.width, size.height], { type: 'Sphere' }).scale() * view.zoom),
    [view],
  );
  const path = useMemo(() => geoPath(projection), [projection]);
  const placeOf = (event: PointerEvent): readonly [number, number] | undefined => {
    const { left, top, width } = (map.current as SVGSVGElement).getBoundingClientRect();
    const scale = size.width / width;
    const place = projection.invert?.([(event.clientX - left) * scale, (event.clientY - top) * scale]);
    return place && Math.abs(place[1]) <= 90 ? place : undefined;
  };
  const kmBetween = (a: readonly [number, number], b: readonly [number, number]) =>
    geoDistance([...a], [...b]) * earthKm;
  const drawn = (event: PointerEvent) => {
    const pan = panned.current;
    if (pan) {
      const { width } = (map.current as SVGSVGElement).getBoundingClientRect();
      const degrees = 360 / view.zoom / width;
      const longitude = pan.center[0] - (event.clientX - pan.x) * degrees;
      const latitude = pan.center[1] + (event.clientY - pan.y) * degrees;
      setView({ ...view, center: [longitude, Math.min(85, Math.max(-85, latitude))] });
      return;
    }
    const from = began.current;
    const to = from && placeOf(event);
    if (from && to) setCircle(circleOf(from, kmBetween(from, to)));
  };
  const zoomBy = (factor: number) =>
    setView({
      ...view,
      zoom: Math.min(zoomLimits.max, Math.max(zoomLimits.min, view.zoom * factor)),
    });
  const press = (event: KeyboardEvent) => {
    const step = 20 / view.zoom;
    const moves: Record<string, readonly [number, number]> = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, step],
      ArrowDown: [0, -step],
    };
    const by = moves[event.key];
    if (by)
      setView({
        ...view,
        center: [view.center[0] + by[0], Math.min(85, Math.max(-85, view.center[1] + by[1]))],
      });
    else if (event.key === '+' || event.key === '=') zoomBy(1.5);
    else if (event.key === '-') zoomBy(1 / 1.5);
    else return;
    event.preventDefault();
  };
  const field = (name: keyof Circle, value: string) => {
    const number = Number(value);
    if (value.trim() === '' || !Number.isFinite(number)) return;
    setCircle({ ...(circle ?? { latitude: 0, longitude: 0, km: 100 }), [name]: number });
  };
  const points = found.data ?? [];
  const inside = circle
    ? points.filter(
        ({ latitude, longitude }) =>
          kmBetween([longitude, latitude], [circle.longitude, circle.latitude]) <= circle.km,
      ).length
    : points.length;
  return (
    <Dialog
      title={t('map.title')}
      isOpen
      onClose={onClose}
      size="large"
      actions={
        <>
          {query.geo && <Button onPress={() => onChoose(undefined)}>{t('map.everywhere')}</Button>}
          <Button
            look="primary"
            icon="search"
            isDisabled={!circle || circle.km <= 0}
            onPress={() => onChoose(circle)}
          >
            {t('map.search')}
          </Button>
        </>
      }
    >
      {found.error && <TroubleNote thrown={found.error} retry={() => void found.refetch()} />}
      <p className="quiet">{t('map.words')}</p>
      <div className="map">
        <svg
          ref={map}
          viewBox={`0 0 ${size.width} ${size.height}`}
          role="img"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: arrows and + - move the map; the fields below draw the circle
          tabIndex={0}
          aria-label={t('map.label', { count: points.length })}
          onKeyDown={press}
          onWheel={(event) => zoomBy(Math.exp(-event.deltaY * 0.002))}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            if (event.shiftKey || event.button === 1)
              panned.current = { x: event.clientX, y: event.clientY, center: view.center };
            else began.current = placeOf(event);
          }}
          onPointerMove={drawn}
          onPointerUp={() => {
            began.current = undefined;
            panned.current = undefined;
          }}
        >
          <path className="map-sea" d={path({ type: 'Sphere' }) ?? ''} />
          <path className="map-grid" d={path(geoGraticule10()) ?? ''} />
          <path className="map-land" d={path(land) ?? ''} />
          {circle && circle.km > 0 && (
            <path
              className="map-circle"
              d={
                path(
                  geoCircle()
                    .center([circle.longitude, circle.latitude])
                    .radius(Math.min(180, ((circle.km / earthKm) * 180) / Math.PI))(),
                ) ?? ''
              }
            />
          )}
          {points.map(({ id, name, latitude, longitude }) => {
            const at = projection([longitude, latitude]);
            if (!at || at[0] < 0 || at[0] > size.width || at[1] < 0 || at[1] > size.height) return null;
            return (
              <circle key={id} className="map-point" cx={at[0]} cy={at[1]} r={5}>
                <title>{name}</title>
              </circle>
            );
          })}
        </svg>
        <div className="map-zoom">
          <IconButton icon="zoomIn" look="plain" label={t('label.zoomIn')} onPress={() => zoomBy(1.8)} />
          <IconButton
            icon="zoomOut"
            look="plain"
            label={t('label.zoomOut')}
            onPress={() => zoomBy(1 / 1.8)}
          />
        </div>
      </div>
      <p role="status" className="small">
        {t('map.inside', { count: inside, all: formatNumber(points.length) })}
      </p>
      <div className="row region-fields">
        {(['latitude', 'longitude', 'km'] as const).map((name) => (
          <TextField
            key={name}
            label={t(`map.${name}`)}
            inputMode="decimal"
            value={circle ? String(circle[name]) : ''}
            onChange={(value) => field(name, value)}
          />
        ))}
      </div>
    </Dialog>
  );
}

/** Rounded to what a person can point at. */
const circleOf = ([longitude, latitude]: readonly [number, number], km: number): Circle => ({
  latitude: Number(latitude.toFixed(4)),
  longitude: Number(longitude.toFixed(4)),
  km: Number(km.toPrecision(4)),
});

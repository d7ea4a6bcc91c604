// Drawn on a grid of 24, 1.75 wide, round ends: one hand for all of them.
const paths = {
  add: 'M12 5v14M5 12h14',
  app: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  arrowLeft: 'M19 12H5M11 6l-6 6 6 6',
  arrowRight: 'M5 12h14M13 6l6 6-6 6',
  box: 'M4 6h16v12H4zM4 6h.01M20 6h.01M4 18h.01M20 18h.01',
  brush: 'M20 4 10 14M8 14c-3 0-4 2-4 6 4 0 6-1 6-4a2 2 0 0 0-2-2z',
  check: 'M5 13l4 4L19 7',
  chevronDown: 'M6 9l6 6 6-6',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 3',
  close: 'M6 6l12 12M18 6 6 18',
  code: 'M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  dataset:
    'M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zM4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
  docs: 'M5 4h10a4 4 0 0 1 4 4v12H9a4 4 0 0 1-4-4zM9 9h6M9 13h6',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  eraser: 'M8 20h12M5 15l9-9 6 6-8 8H9z',
  external: 'M14 4h6v6M20 4l-9 9M18 14v6H4V6h6',
  eye: 'M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  eyeOff:
    'M4 4l16 16M9 5.5A10 10 0 0 1 12 5c6 0 10 7 10 7a17 17 0 0 1-3 3.7M6 7.5A17 17 0 0 0 2 12s4 7 10 7a10 10 0 0 0 4-.8',
  filter: 'M4 5h16l-6 8v6l-4-2v-4z',
  fit: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  gallery: 'M4 5h16v14H4zM4 15l5-5 4 4 3-3 4 4M15 9h.01',
  hand: 'M8 12V6a1.5 1.5 0 0 1 3 0v5-7a1.5 1.5 0 0 1 3 0v7-5a1.5 1.5 0 0 1 3 0v8c0 4-2 6-5 6s-5-1-6-4l-2-5c0-1.5 2-2 3 0z',
  help: 'M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2M12 18h.01M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z',
  home: 'M4 11l8-7 8 7v9h-5v-6H9v6H4z',
  image: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4',
  jobs: 'M12 3v4M12 17v4M3 12h4M17 12h4M6 6l2.5 2.5M15.5 15.5 18 18M6 18l2.5-2.5M15.5 8.5 18 6',
  keyframe: 'M12 4l8 8-8 8-8-8z',
  key: 'M14 10a4 4 0 1 0-3 3.9L13 16h2v2h2v2h3v-3l-6.3-6.3z',
  label: 'M4 4h8l8 8-8 8-8-8zM8 8h.01',
  language:
    'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM2 12h20M12 2c3 3 4 6 4 10s-1 7-4 10c-3-3-4-6-4-10s1-7 4-10z',
  lock: 'M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3',
  unlock: 'M6 11h12v9H6zM8 11V8a4 4 0 0 1 7.5-2',
  map: 'M9 4 3 6v14l6-2 6 2 6-2V4l-6 2zM9 4v14M15 6v14',
  model: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM12 12l8-4.5M12 12v9M12 12 4 7.5',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  pause: 'M8 5v14M16 5v14',
  people: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-6 7-6s7 2 7 6M17 11a3 3 0 1 0 0-6M22 20c0-3-2-5-5-5',
  play: 'M7 4l13 8-13 8z',
  point: 'M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 2v4M12 18v4M2 12h4M18 12h4',
  polygon: 'M12 3l9 7-4 10H7L3 10z',
  redo: 'M19 8h-9a5 5 0 0 0 0 10h4M15 4l4 4-4 4',
  refresh: 'M20 11a8 8 0 1 0-2 6M20 4v7h-7',
  save: 'M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5',
  segment: 'M4 14c0-5 4-9 8-9s6 3 6 6M9 11l4 10 2-4 4-1zM4 14c0 3 1 4 3 5',
  select: 'M5 3l6 17 2.5-6.5L20 11z',
  settings:
    'M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 2v3M12 19v3M4.9 4.9 7 7M17 17l2.1 2.1M2 12h3M19 12h3M4.9 19.1 7 17M17 7l2.1-2.1',
  spark: 'M12 3l2 7 7 2-7 2-2 7-2-7-7-2 7-2z',
  stepBack: 'M17 5l-9 7 9 7zM6 5v14',
  stepOn: 'M7 5l9 7-9 7zM18 5v14',
  stop: 'M6 6h12v12H6z',
  theme: 'M20 14A8 8 0 1 1 10 4a7 7 0 0 0 10 10z',
  toBack: 'M12 4v12M7 11l5 5 5-5M5 20h14',
  toFront: 'M12 20V8M7 13l5-5 5 5M5 4h14',
  trash: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5',
  undo: 'M5 8h9a5 5 0 0 1 0 10h-4M9 4 5 8l4 4',
  upload: 'M12 16V5M7 9l5-5 5 5M5 20h14',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 3.5-6 8-6s8 2 8 6',
  video: 'M4 6h11v12H4zM15 10l5-3v10l-5-3z',
  warning: 'M12 3l10 18H2zM12 10v5M12 18h.01',
  workflow: 'M4 5h6v5H4zM14 14h6v5h-6zM7 10v4a3 3 0 0 0 3 3h4M14 5h6v5h-6z',
  zoomIn: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5M11 8v6M8 11h6',
  zoomOut: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5M8 11h6',
} as const;

export type IconName = keyof typeof paths;

/** Icons that point to where reading goes on, or to where it came from: they turn with the direction of reading. */
const directional: ReadonlySet<IconName> = new Set(['arrowLeft', 'arrowRight']);

/** Says nothing by itself: what it stands beside, or the label of its button, names it. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      className={directional.has(name) ? 'icon directional' : 'icon'}
      viewBox="0 0 24 24"
      width={size}
      height={size}
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}

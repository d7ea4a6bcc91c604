import { type ComponentType, lazy } from 'react';
import type { IconName } from '../ui/icon.tsx';

/** Each screen is a part of the bundle of its own, loaded when it is first shown. */
const screen = (load: () => Promise<{ default: ComponentType }>) => lazy(load);

/** Screens of an app by the word in the address after `/{user}/{app}/`. `navigation` ones stand in the sidebar. */
export const appScreens: readonly {
  readonly word: string;
  readonly label: string;
  readonly icon: IconName;
  readonly isNavigation: boolean;
  readonly Screen: ComponentType;
  /** Shown for one of them, `/{user}/{app}/{word}/{id}`. */
  readonly One?: ComponentType;
}[] = [
  {
    word: '',
    label: 'nav.overview',
    icon: 'home',
    isNavigation: true,
    Screen: screen(() => import('../screens/overview/overview.tsx')),
  },
  {
    word: 'inputs',
    label: 'nav.inputs',
    icon: 'gallery',
    isNavigation: true,
    Screen: screen(() => import('../screens/inputs/inputs.tsx')),
    One: screen(() => import('../screens/label/label.tsx')),
  },
  {
    word: 'datasets',
    label: 'nav.datasets',
    icon: 'dataset',
    isNavigation: true,
    Screen: screen(() => import('../screens/datasets/datasets.tsx')),
    One: screen(() => import('../screens/datasets/dataset.tsx')),
  },
  {
    word: 'models',
    label: 'nav.models',
    icon: 'model',
    isNavigation: true,
    Screen: screen(() => import('../screens/models/models.tsx')),
    One: screen(() => import('../screens/models/model.tsx')),
  },
  {
    word: 'workflows',
    label: 'nav.workflows',
    icon: 'workflow',
    isNavigation: true,
    Screen: screen(() => import('../screens/workflows/workflows.tsx')),
    One: screen(() => import('../screens/workflows/workflow.tsx')),
  },
  {
    word: 'jobs',
    label: 'nav.jobs',
    icon: 'jobs',
    isNavigation: true,
    Screen: screen(() => import('../screens/jobs/jobs.tsx')),
  },
  {
    word: 'settings',
    label: 'nav.settings',
    icon: 'settings',
    isNavigation: true,
    Screen: screen(() => import('../screens/app-settings/app-settings.tsx')),
  },
];

export const Home = screen(() => import('../screens/home/home.tsx'));
export const Settings = screen(() => import('../screens/settings/settings.tsx'));

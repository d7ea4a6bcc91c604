import type { Deps } from '../common/deps.ts';
import { collaboratorHandlers } from './collaborator-handlers.ts';
import type { RememberedDirectory } from './directory.ts';
import { keyHandlers } from './key-handlers.ts';
import { userHandlers } from './user-handlers.ts';

export { openDirectory, type RememberedDirectory } from './directory.ts';
export { ensureFirstUser, ensurePlatformApp, type FirstUser, newSecret, platform } from './first-user.ts';
export { findMovedTo, leaveWord } from './moved-ids.ts';
export { identityRoutes } from './routes.ts';
export { openWelcome, type Welcome } from './welcome.ts';

export const identityHandlers = (deps: Deps, directory: RememberedDirectory) => ({
  ...userHandlers(deps),
  ...keyHandlers(deps, directory),
  ...collaboratorHandlers(deps, directory),
});

export { openDirectory, type RememberedDirectory } from './directory.ts';
export { ensureFirstUser, type FirstUser, newSecret } from './first-user.ts';

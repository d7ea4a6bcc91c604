export { chooseFiles, type PackageEntry } from './choose-files.ts';
export { defaultGuestLimits, type GuestLimits } from './guest.ts';
export { type Manifest, manifestName, type PackageTask, sideFiles, typeOfTask } from './manifest.ts';
export type { PackageReport } from './messages.ts';
export { foreignKind } from './onnx-facts.ts';
export { type Inspected, PackageFault, packagePrefix } from './package-host.ts';

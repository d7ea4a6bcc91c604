import { isArmed } from '#domain/failpoints.ts';
import { textTrouble } from '#domain/texts.ts';
import { gatewayFault } from './faults.ts';

/** Refuses texts that the database cannot store. @throws Fault CONN_BAD_REQUEST_FORMAT naming the field */
export function checkTexts(request: unknown): void {
  if (isArmed('skip-text-check')) return;
  const trouble = textTrouble(request);
  if (trouble) throw gatewayFault.badFormat(trouble);
}

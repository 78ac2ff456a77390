import { O_CREAT, O_TRUNC } from '../../abi/open-flags.js';
import type { FieldsOf } from '../../proxy-protocol/encoder.js';
import type { RequestName } from '../../proxy-protocol/requests.js';

/** What may be asked twice. */
const questions: ReadonlySet<RequestName> = new Set([
  'lstat',
  'readlink',
  'statfs',
  'lgetxattr',
  'llistxattr',
  'getversion',
]);

/** Whether a request that nobody answered may have changed a file. */
export function changesSomething(name: RequestName, fields: FieldsOf<RequestName>): boolean {
  if (name === 'open') return ((fields as FieldsOf<'open'>).flags & (O_CREAT | O_TRUNC)) !== 0;
  return !questions.has(name);
}

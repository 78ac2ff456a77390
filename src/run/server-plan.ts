import type { Arguments } from '../cli/arguments.js';
import type { PassedSocket } from '../service/activation.js';
import { configureServer, type ServerConfiguration } from '../server/cli/configuration.js';
import { isServerOption } from '../server/cli/options.js';
import { unixPath } from '../server/transports/address.js';
import { usageError } from '../startup/start-errors.js';
import { planHelper } from './plan.js';
import { checkControl, type CommonConfiguration } from './share-plan.js';

/** What a command line of `server` asks for, complete and valid in itself. */
export interface ServerPlan {
  /** Where the helper listens. */
  readonly helper: string;
  readonly common: CommonConfiguration;
  readonly server: ServerConfiguration;
}

const PROGRAM = 'virtfs-proxy-helper server';
/** What is served is the helper's to know; its options are checked with a path. */
const ANY_PATH = { name: 'path', value: '/' } as const;

/**
 * Reads a command line. Throws a usage error.
 *
 * @param passed the sockets of the service manager; undefined where there is none
 */
export function planServer(
  { given, operands, rest = [] }: Arguments<string>,
  passed?: readonly PassedSocket[],
): ServerPlan {
  const [unexpected] = [...operands, ...rest];
  if (unexpected !== undefined) throw usageError(`unexpected argument ${unexpected}`, PROGRAM);
  const ofHelper = given.filter(({ name }) => name !== 'helper' && !isServerOption(name));
  const common = planHelper([ANY_PATH, ...ofHelper], PROGRAM).configuration;
  checkControl(common, PROGRAM);
  return {
    helper: helperPath(given),
    common,
    server: configureServer(given, passed, PROGRAM),
  };
}

function helperPath(given: Arguments<string>['given']): string {
  const [path, other] = new Set(
    given.flatMap(({ name, value }) => (name === 'helper' && value !== true ? [value] : [])),
  );
  if (path === undefined) throw usageError('--helper is required', PROGRAM);
  if (other !== undefined) throw usageError(`--helper is given twice: ${path} and ${other}`, PROGRAM);
  return unixPath(path, (reason) => usageError(`--helper ${path}: ${reason}`, PROGRAM));
}

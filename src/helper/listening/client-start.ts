import type { Configuration } from '../cli/configuration.js';
import type { OptionName, OptionValues } from '../cli/options.js';
import type { ClientDescriptors } from './client-processes.js';

/**
 * What the listener tells the program of a client, as JSON in its only argument. That program is of a newer version when
 * the helper was upgraded after the listener had started. So it gets what every version understands, the options of the
 * command line, and makes its own configuration of them.
 */
export interface ClientStart {
  readonly options: OptionValues;
  readonly descriptors: ClientDescriptors;
  /** Counted from 1. */
  readonly client: number;
  readonly syslog: boolean;
}

/** The options that are the listener's alone. */
const listenersOwn: readonly string[] = [
  'socket',
  'fd',
  'uid',
  'gid',
  'allow-uid',
  'keep-listening',
  'nodaemon',
  'pidfile',
  'ready-fd',
] satisfies OptionName[];

/** The options for the program of a client, whose working directory may be another. */
export function clientOptions({ given, exportPath, control }: Configuration): OptionValues {
  const kept = Object.entries(given).filter(([name]) => !listenersOwn.includes(name));
  return {
    ...(Object.fromEntries(kept) as OptionValues),
    path: exportPath,
    ...(control === undefined ? {} : { control }),
  };
}

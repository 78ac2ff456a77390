import type { RootChanger } from '../confinement/root.js';
import type { LogFormat, LogLevel } from '../observability/levels.js';
import type { ReadySocket } from './endpoint.js';

/** What the starting program gives to the serving one that takes its place, as JSON in its only argument. */
export interface Handover {
  readonly exportPath: string;
  /** An O_PATH descriptor of the export. */
  readonly exportDirectory: number;
  readonly socket: ReadySocket;
  readonly rootChanger: RootChanger;
  /** Where a daemon reports that it is ready, or why not; undefined in the foreground. */
  readonly report: number | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

import type { IdMappings } from '../security-models/id-map.js';
import type { RootChanger } from '../../confinement/root-changer.js';
import type { SeccompMode } from '../../confinement/seccomp-modes.js';
import type { LogFormat, LogLevel } from '../../observability/levels.js';
import type { NotifyChannel } from '../../service/notifications.js';
import type { ModelSettings } from '../security-models/model-names.js';
import type { ReadySocket } from './endpoint.js';
import type { Export } from './export.js';
import type { Pidfile } from '../../startup/pidfile.js';

/** What the starting program gives to the serving one that takes its place, as JSON in its only argument. */
export interface Handover {
  readonly export: Export;
  readonly socket: ReadySocket;
  /** What `own-descriptors.ts` opens. */
  readonly ownDescriptors: number;
  /** The listening control socket; undefined for none. */
  readonly control: number | undefined;
  /** Undefined where an ordinary user may not change the root. */
  readonly rootChanger: RootChanger | undefined;
  /** A socket to the process that follows the host's mounts; undefined without one. */
  readonly mountFollower: number | undefined;
  /** Why there is no root changer. */
  readonly whyNoRoot: string | undefined;
  /** Whether to log there: in the background stderr is nobody's. */
  readonly syslog: boolean;
  /** The number of the client among those of a listener; undefined without one. */
  readonly client: number | undefined;
  /** Where it reports that it is ready, or why not, instead of on stderr. */
  readonly report: number | undefined;
  /** Where the service manager wants to be notified; undefined without one. */
  readonly notify: NotifyChannel | undefined;
  /** Undefined without one. */
  readonly pidfile: Pidfile | undefined;
  /** What `null-device.ts` opens. */
  readonly nullDevice: number | undefined;
  readonly readOnly: boolean;
  /** Whether requests can be about a descriptor. */
  readonly descriptorRequests: boolean;
  /** The numbers of mounts whose descriptors are taken as well. */
  readonly formerMounts: readonly number[];
  readonly ids: IdMappings | undefined;
  readonly model: ModelSettings;
  readonly seccomp: SeccompMode;
  /** Microseconds. */
  readonly pollCeiling: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Whether stderr is systemd's journal. */
  readonly journal: boolean;
}

/** Whether the export is the root, and a mount in a namespace of its own. */
export function hasOwnMount({ export: { isMount }, rootChanger }: Handover): boolean {
  return isMount && rootChanger !== undefined;
}

/** Whether being in the export as the root is all it takes to stay in it. */
export function isContained(handover: Handover): boolean {
  const { path, hasProcfs } = handover.export;
  return (hasOwnMount(handover) || path === '/') && !hasProcfs;
}

/** What keeps requests in the export, for the log. */
export function containment(handover: Handover): Readonly<Record<string, string>> {
  const paths = isContained(handover) ? {} : { paths: 'checked' };
  if (handover.rootChanger !== undefined) {
    return { root: handover.export.isMount ? 'a mount of its own' : 'changed', ...paths };
  }
  return { root: 'not changed', why: handover.whyNoRoot ?? '', ...paths };
}

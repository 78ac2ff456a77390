import type { RootChanger } from '../../confinement/root-changer.js';
import type { SeccompMode } from '../../confinement/seccomp-modes.js';
import type { LogFormat, LogLevel } from '../../observability/levels.js';
import type { Heartbeat } from '../../service/heartbeat.js';
import type { SessionSettings } from '../session/serve-client.js';
import type { AllowedPeers } from '../transports/acceptance.js';
import type { ClientSocket } from '../transports/listening.js';

/** What `share` tells the program that prepares the server, as JSON in its only argument. */
export interface ServerStart extends SessionSettings {
  /** A descriptor: the connection to the helper. */
  readonly helper: number;
  /** A descriptor: where connections to further helpers come from when one has ended. */
  readonly furtherHelpers: number;
  readonly client: ClientSocket;
  /** A descriptor: the listening control socket; undefined for none. */
  readonly control: number | undefined;
  readonly allowed: AllowedPeers;
  /** The client is an emulator, and has a device with this mount tag. */
  readonly tag: string | undefined;
  /** Whose process the server is to be; undefined for that of the caller, who is an ordinary user. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined;
  /** The process without which there shall be no server. */
  readonly parent: number;
  /** A descriptor that is told when the server is ready, or why not. */
  readonly report: number;
  /** How it shows that it is alive; undefined where nobody watches. */
  readonly heartbeat: Heartbeat | undefined;
  readonly seccomp: SeccompMode;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** The number of the client among those of --keep-listening. */
  readonly clientNumber: number | undefined;
}

/** What that program gives to the server, which takes its place, likewise. */
export interface ServerHandover extends ServerStart {
  /** Undefined where the root cannot be changed. */
  readonly rootChanger: RootChanger | undefined;
  /** What could not be taken from the server, and why: for the log. */
  readonly kept: Readonly<Record<string, string>>;
  /** Whether stderr is systemd's journal. */
  readonly journal: boolean;
}

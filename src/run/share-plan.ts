import type { Arguments } from '../cli/arguments.js';
import type { Configuration } from '../helper/cli/configuration.js';
import { isMapped } from '../helper/cli/security-model.js';
import { configureServer, type ServerConfiguration } from '../server/cli/configuration.js';
import { isServerOption } from '../server/cli/options.js';
import { serverControlPath } from '../observability/control-paths.js';
import { groupId, userId } from '../startup/accounts.js';
import { StartError, usageError } from '../startup/start-errors.js';
import type { PassedSocket } from '../service/activation.js';
import type { AllowedPeers } from '../server/transports/acceptance.js';
import type { SocketOwner } from '../startup/socket-file.js';
import { MAX_PATH_BYTES } from '../syscalls/sockets.js';
import { planHelper } from './plan.js';
import type { ServerSettings } from './server-process.js';

/** Of the helper's options those that the server has to know, too. */
export type CommonConfiguration = Pick<
  Configuration,
  'model' | 'pollCeiling' | 'seccomp' | 'control' | 'logLevel' | 'logFormat'
>;

/** What a command line of `share` asks for, complete and valid in itself. */
export interface SharePlan {
  readonly path: string;
  /** Words of the helper's command line. */
  readonly helperOptions: readonly string[];
  readonly helper: Configuration;
  readonly server: ServerConfiguration;
}

const PROGRAM = 'virtfs-proxy-helper share';
/** Nobody's: the id that stands for users who have none here. */
const NOBODY = 65_534;
/** What the server needs of its helper. */
const FOR_THE_SERVER = ['--descriptor-requests'] as const;

/**
 * Reads a command line. Throws a usage error.
 *
 * @param passed the sockets of the service manager; undefined where there is none
 */
export function planShare(
  { given, operands, rest = [] }: Arguments<string>,
  passed?: readonly PassedSocket[],
): SharePlan {
  const [unexpected] = [...operands, ...rest];
  if (unexpected !== undefined) throw usageError(`unexpected argument ${unexpected}`, PROGRAM);
  const server = configureServer(given, passed, PROGRAM);
  const {
    path,
    options: words,
    configuration,
  } = planHelper(
    given.filter(({ name }) => !isServerOption(name)),
    PROGRAM,
  );
  checkControl(configuration, PROGRAM);
  return { path, helperOptions: [...words, ...FOR_THE_SERVER], helper: configuration, server };
}

/** The server has a socket beside that of the helper. Throws a usage error. */
export function checkControl({ control }: Pick<Configuration, 'control'>, command: string): void {
  if (control !== undefined && Buffer.byteLength(serverControlPath(control)) > MAX_PATH_BYTES)
    throw usageError(
      `--control ${control}: ${serverControlPath(control)} is longer than the ${MAX_PATH_BYTES} bytes that a socket's path can have`,
      command,
    );
}

/** Who owns a unix socket, and who may connect. */
export interface PlannedPeers {
  readonly owner: SocketOwner;
  readonly allowed: AllowedPeers;
}

/** Looks up who is named. Throws a StartError. */
export async function planPeers({
  uid,
  gid,
  allowedUsers,
  allowedCids,
  address,
}: ServerConfiguration): Promise<PlannedPeers> {
  const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const named = uid === undefined ? undefined : await userId(uid, '--uid');
  const owner = { uid: named ?? own.uid, gid: gid === undefined ? own.gid : await groupId(gid) };
  const others: number[] = [];
  for (const user of allowedUsers) others.push(await userId(user, '--allow-uid'));
  if (own.uid !== 0 && (owner.uid !== own.uid || owner.gid !== own.gid))
    throw new StartError('root-required', '--uid and --gid: only root can give the socket to somebody else');
  // the caller made a socket that was passed, and its permissions; who connects is checked only when somebody was named
  const checked = address.kind === 'unix' || named !== undefined || others.length > 0;
  return { owner, allowed: { uids: checked ? [owner.uid, ...others] : undefined, cids: allowedCids } };
}

/**
 * What the server is told. Throws a StartError.
 *
 * @param given what is known beside the options: how long it is to wait for another helper, and how often it is to show that
 *   it is alive, milliseconds
 */
export async function planSettings(
  { model: { name }, pollCeiling, seccomp, control, logLevel, logFormat }: CommonConfiguration,
  server: ServerConfiguration,
  given: Pick<ServerSettings, 'allowed' | 'helperPatience' | 'heartbeatInterval'>,
): Promise<ServerSettings> {
  return {
    ...given,
    ids: await idsOf(server.runAs),
    types: isMapped(name) ? 'attributes' : 'kernel',
    hidden: name === 'mapped-file' ? 'virtfs_metadata' : 'none',
    coherent: server.coherent,
    msize: server.msize,
    tag: server.tag,
    pollCeiling,
    limits: server.limits,
    seccomp,
    control,
    logLevel,
    logFormat,
    clientNumber: undefined,
  };
}

async function idsOf(user: string | undefined): Promise<ServerSettings['ids']> {
  if (process.geteuid?.() !== 0) {
    if (user !== undefined)
      throw new StartError('root-required', '--run-as: only root can run the server as somebody else');
    return undefined;
  }
  if (user === undefined) return { uid: NOBODY, gid: NOBODY };
  const uid = await userId(user, '--run-as');
  if (uid === 0) throw usageError(`--run-as ${user}: the server must not be root`, PROGRAM);
  return { uid, gid: await groupOf(uid) };
}

/** An id that the system's database does not know has the group of the same number. */
async function groupOf(uid: number): Promise<number> {
  const { posix } = await import('../native/posix.js');
  try {
    return posix.getpwnam(uid).gid;
  } catch {
    return uid;
  }
}

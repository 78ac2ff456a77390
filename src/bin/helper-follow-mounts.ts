import '../startup/no-debugger.js';
import { type FollowedMounts, MountFollower } from '../helper/confinement/mount-follower.js';
import { answerHelper, meetHelper } from '../helper/confinement/watched-helper.js';
import type { FollowersLog } from '../helper/launch/host-mounts.js';
import { StandardError } from '../observability/standard-error.js';
import { Syslog } from '../observability/syslog.js';
import type { Mount } from '../syscalls/mount-table.js';

/** What the starting program gives to it. */
interface Argument extends FollowedMounts {
  /** A socket to the helper. */
  readonly socket: number;
  readonly log: FollowersLog;
}

const NOT_FOLLOWED = 'what the host mounted in the export is not followed';

/** Tells of a mount on the helper's log. The log's own program, pino, would be most of this one. */
function reporter({ format, syslog, journal, warns }: FollowersLog): (mount: Mount) => void {
  if (!warns) return () => undefined;
  const output = syslog ? new Syslog(true) : new StandardError(journal);
  return ({ path: bytes, fileSystem: type }) => {
    const path = `/${Buffer.from(bytes, 'latin1').toString()}`;
    const fields = { level: 'warn', time: Date.now(), pid: process.pid, path, type, msg: NOT_FOLLOWED };
    const text = `warn: ${NOT_FOLLOWED} (path=${path.replace(/\p{Cc}/gu, '?')}, type=${type})`;
    output.write('warn', format === 'json' ? JSON.stringify(fields) : text);
  };
}

/**
 * The program that follows the host's mounts for one helper, and ends with it. It reads the tables of mounts, and of the
 * helper only its pid. Started by `launch/`, never by hand.
 */
const { socket, log, ...mounts } = JSON.parse(process.argv[2] ?? '{}') as Argument;
const follower = new MountFollower(mounts, reporter(log));
// both take their time to start
follower.follow();
const helper = meetHelper(socket);
if (helper < 0) process.exit();
follower.follow();
answerHelper(socket);
while (follower.wait(helper)) follower.follow();
process.exit();

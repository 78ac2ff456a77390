import '../startup/no-debugger.js';
import { type FollowedMounts, MountFollower } from '../helper/confinement/mount-follower.js';
import { answerHelper, meetHelper } from '../helper/confinement/watched-helper.js';

/** What the starting program gives to it. */
interface Argument extends FollowedMounts {
  /** A socket to the helper. */
  readonly socket: number;
}

/**
 * The program that follows the host's mounts for one helper, and ends with it. It reads the tables of mounts, and of the
 * helper only its pid. Started by `launch/`, never by hand.
 */
const { socket, ...mounts } = JSON.parse(process.argv[2] ?? '{}') as Argument;
const follower = new MountFollower(mounts);
// both take their time to start
follower.follow();
const helper = meetHelper(socket);
if (helper < 0) process.exit();
follower.follow();
answerHelper(socket);
while (follower.wait(helper)) follower.follow();
process.exit();

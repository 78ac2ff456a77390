import '../startup/no-debugger.js';
import { type FollowedMounts, MountFollower } from '../helper/confinement/mount-follower.js';

/**
 * The program that follows the host's mounts for one helper, and ends with it. It reads the table of mounts and nothing
 * else. Started by `launch/`, never by hand.
 */
const follower = new MountFollower(JSON.parse(process.argv[2] ?? '{}') as FollowedMounts);
do follower.follow();
while (follower.wait());
process.exit();

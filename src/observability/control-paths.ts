/**
 * Variables in the environment of a serving and of a listening program, for `status` to find: only root can read them. The
 * first is the path of the control socket, the second is what a listener's clients are served.
 */
export const CONTROL_VARIABLE = 'VIRTFS_PROXY_HELPER_CONTROL';
export const LISTENER_VARIABLE = 'VIRTFS_PROXY_HELPER_LISTENER';

/** What follows the helper's path in that of the server of the same pair. */
const SERVER_SUFFIX = '.9p';

/** Where the 9P server answers whose helper answers at a path. */
export function serverControlPath(control: string): string {
  return `${control}${SERVER_SUFFIX}`;
}

/** Whether a path is that of a server. */
export function isServerControlPath(path: string): boolean {
  return path.endsWith(SERVER_SUFFIX);
}

/** The path of --control, from that of either half of a pair. */
export function pairControlPath(control: string): string {
  return isServerControlPath(control) ? control.slice(0, -SERVER_SUFFIX.length) : control;
}

/** Where the processes of a listener's client answer. */
export function clientControlPath(control: string, client: number): string {
  return `${control}.${client}`;
}

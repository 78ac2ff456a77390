import fs from 'node:fs';

/** A process and all that it started: proc(5), /proc/PID/task/TID/children. */
export function processTree(pid: number): readonly number[] {
  const children = fs
    .readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' '))
    .filter((word) => word !== '')
    .map(Number);
  return [pid, ...children.flatMap(processTree)];
}

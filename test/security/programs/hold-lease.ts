/** Holds a write lease on a file, and never gives it back by itself: fcntl(2), F_SETLEASE. */
import { openSync } from 'node:fs';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const fcntl = libc.func('int fcntl(int, int, int64_t)') as (
  fd: number,
  command: number,
  value: number,
) => number;
const prctl = libc.func('int prctl(int, uint64_t)') as (option: number, value: number) => number;

const F_SETLEASE = 1024;
const F_WRLCK = 1;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

const [path] = JSON.parse(process.argv[1] ?? '') as [string];
prctl(PR_SET_PDEATHSIG, SIGKILL);
// the kernel's request to give the lease back; without a handler it would end this process
process.on('SIGIO', () => {
  process.stdout.write('asked to give back\n');
});
if (fcntl(openSync(path, 'r+'), F_SETLEASE, F_WRLCK) < 0) throw new Error('cannot take a lease');
process.stdout.write('ready\n');
setInterval(() => undefined, 1_000);

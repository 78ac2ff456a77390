import * as files from '../../abi/open-flags.js';

/**
 * Open flags of 9P2000.L, which are those of Linux on x86 whatever the machine, beside this machine's. What is not here is
 * dropped: O_CLOEXEC and O_NOCTTY are the server's own affair, O_LARGEFILE and FASYNC do nothing, and O_DIRECT asks for an
 * alignment that the guest's memory does not have.
 */
const flags: readonly (readonly [wire: number, flag: number])[] = [
  [0o1000, files.O_TRUNC],
  [0o2000, files.O_APPEND],
  [0o4000, files.O_NONBLOCK],
  [0o10000, files.O_DSYNC],
  [0o200000, files.O_DIRECTORY],
  [0o400000, files.O_NOFOLLOW],
  [0o1000000, files.O_NOATIME],
  [0o4000000, files.O_SYNC],
];
const WIRE_EXCL = 0o200;

/**
 * The flags for a Tlopen. The file is there already, so O_CREAT and O_EXCL, which Linux passes on, are dropped.
 *
 * O_APPEND goes with O_WRONLY alone: a guest that caches reads and writes pages at offsets of its own, and appended
 * they end up elsewhere.
 */
export function openFlags(wire: number): number {
  const access = wire & files.O_ACCMODE;
  let result = access;
  for (const [bit, flag] of flags) {
    if ((wire & bit) !== 0) result |= flag;
  }
  return access === files.O_WRONLY ? result : result & ~files.O_APPEND;
}

/** The flags for a Tlcreate, which makes the file where it is not there yet. */
export function createFlags(wire: number): number {
  return openFlags(wire) | files.O_CREAT | ((wire & WIRE_EXCL) === 0 ? 0 : files.O_EXCL);
}

/** The mode of Topen and Tcreate, open(5). */
const ACCESS = 0x03;
const OEXEC = 0x03;
const OTRUNC = 0x10;
const ORCLOSE = 0x40;
/** Of 9P2000.u. */
const OAPPEND = 0x80;

/** The flags for the mode of a Topen. To execute a file is to read it. */
export function openModeFlags(mode: number): number {
  const access = mode & ACCESS;
  // OREAD, OWRITE and ORDWR have the numbers of O_RDONLY, O_WRONLY and O_RDWR
  let result = access === OEXEC ? files.O_RDONLY : access;
  if ((mode & OTRUNC) !== 0) result |= files.O_TRUNC;
  if ((mode & OAPPEND) !== 0 && access === files.O_WRONLY) result |= files.O_APPEND;
  return result;
}

/** Whether the file is removed when its fid is clunked. */
export function removesOnClunk(mode: number): boolean {
  return (mode & ORCLOSE) !== 0;
}

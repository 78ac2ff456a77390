import { ExitStatus } from './exit-status.js';

/** A kind of failed start, as docs/start-errors.md and the man page tell it. */
export interface StartFailure {
  readonly meaning: string;
  /** What an operator does about it. */
  readonly remedy: string;
  /** `ExitStatus.FAILURE` where there is none. */
  readonly status?: number;
}

/** As shells have it. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/**
 * Every way in which a start of ours fails, by its code. A code is for good: scripts compare it. There is one for each
 * thing that an operator does about it, not for each place that throws.
 */
export const startErrors = {
  // the command line
  usage: {
    status: ExitStatus.USAGE,
    meaning: 'The command line is wrong: an option, its value, or two options that exclude each other.',
    remedy: 'Correct what the line names; --help lists the options.',
  },
  'unknown-account': {
    status: ExitStatus.USAGE,
    meaning: 'There is no such user or group, or the number is no valid id.',
    remedy: 'Give one that getent(1) finds, or a number.',
  },
  'wrong-passed-sockets': {
    status: ExitStatus.USAGE,
    meaning: 'The service manager passed no socket, or several.',
    remedy: 'Have one ListenStream= in the socket unit, or name the socket with an option.',
  },
  'socket-is-connected': {
    status: ExitStatus.USAGE,
    meaning: '--keep-listening got a connected socket.',
    remedy: 'Pass a listening one.',
  },
  'open-files-above-limit': {
    status: ExitStatus.USAGE,
    meaning: '--rlimit-nofile is above the hard limit.',
    remedy: 'Raise the hard limit first: ulimit -Hn, or LimitNOFILE= of a unit.',
  },
  'working-directory-lost': {
    meaning: 'A path is relative to a working directory that was removed or cannot be found.',
    remedy: 'Give an absolute path.',
  },

  // what is installed, and the system
  'node-too-old': {
    status: ExitStatus.USAGE,
    meaning: 'This version of Node is older than the first one that is supported.',
    remedy: 'Install a newer Node.',
  },
  'package-not-loaded': {
    meaning: 'An npm package with machine code is missing, or was compiled for another Node.',
    remedy: 'Type the command that the line has in quotation marks.',
  },
  'program-not-started': {
    meaning: 'Node or unshare(1) cannot be executed, or started with these descriptors.',
    remedy: 'Look whether the file that the line names is there and executable.',
  },
  'program-unreadable': {
    meaning: 'The user that the server runs as cannot read Node or the installed programs.',
    remedy: 'Install them where everybody can read them, or choose another user with --run-as.',
  },
  'system-incomplete': {
    meaning: 'Something is missing that every Linux has, such as /proc or /dev/null.',
    remedy: 'Mount it; in a container or chroot, too.',
  },
  'out-of-resources': {
    meaning: 'The kernel has no process, socket or memory left for this start.',
    remedy: 'Raise the limit that is reached (ulimit -n, ulimit -u, TasksMax=), or end other processes.',
  },
  'open-files-too-few': {
    meaning: 'The hard limit of open files is too low for --descriptor-requests or --max-open.',
    remedy: 'Raise it (ulimit -Hn, or LimitNOFILE= of a unit), or lower --max-open.',
  },
  'threads-busy': {
    meaning: "Node's other threads did not come to rest, so the process could not be forked safely.",
    remedy: 'Start it again; take out of NODE_OPTIONS what keeps threads running.',
  },

  // rights
  'root-required': {
    meaning: 'An option or the security model needs root, or capabilities that the caller does not have.',
    remedy: 'Start it as root, or choose another option: the line says which.',
  },
  'started-set-uid': {
    meaning: 'The program was started set-uid, set-gid or with file capabilities.',
    remedy: 'Take these off the file of Node, and start the helper as root.',
  },
  'rights-not-dropped': {
    meaning: 'Capabilities or supplementary groups could not be given up, so nothing is served.',
    remedy: 'Look at what the container, the user namespace or the security module forbids.',
  },
  'user-not-taken': {
    meaning: 'The process could not become the user that it is to run as.',
    remedy:
      'Look whether the user namespace has the user, and whether CAP_SETUID and CAP_SETGID are allowed.',
  },
  'root-not-changed': {
    meaning: 'The export, or an empty directory for the server, could not be made the root directory.',
    remedy:
      'Look at the reason in the line: often a security module, or a directory that the caller cannot enter.',
  },
  'filter-not-installed': {
    meaning: 'The kernel does not take the seccomp filter.',
    remedy: 'Use a kernel with seccomp filters, or give --seccomp none and do without.',
  },

  // the export
  'export-not-found': {
    meaning: 'There is no directory at the path to be shared.',
    remedy: 'Correct --path, or mount what should be there.',
  },
  'export-not-a-directory': {
    meaning: 'The path to be shared, or a part of it, is not a directory.',
    remedy: 'Give a directory.',
  },
  'export-not-opened': {
    meaning: 'The directory to be shared cannot be opened.',
    remedy:
      'Look at the reason in the line: permissions on the way, links in a circle, a file system that fails.',
  },
  'export-behind-link': {
    meaning: 'A symbolic link on the way to the export is not followed: a guest could have made it.',
    remedy: 'Give the path without the link, or --path-base with the directory in which links end.',
  },
  'export-replaced': {
    meaning: 'The directory was moved or replaced during the start.',
    remedy: 'Start it again.',
  },
  'export-without-xattrs': {
    meaning: 'The file system has no user extended attributes, which mapped-xattr needs.',
    remedy: 'Use --security-model mapped-file, or another file system.',
  },
  'mounts-not-followed': {
    meaning: "The process that follows the host's mounts could not be started.",
    remedy: 'Raise the limits, or give --host-mounts ignore.',
  },

  // sockets and files of the start
  'socket-unsuitable': {
    meaning: 'The descriptor for the client is no socket of the kind that is needed, or none was passed.',
    remedy: 'Pass a connected or listening stream socket under the number that the option names.',
  },
  'ready-fd-unsuitable': {
    meaning: 'The descriptor of --ready-fd was not passed, or is not open for writing.',
    remedy: 'Pass the writable end of a pipe under that number.',
  },
  'client-not-allowed': {
    meaning: 'The one who is connected to the socket may not be the client.',
    remedy: 'Allow it (--uid, --allow-uid, --allow-cid), or connect as somebody else.',
  },
  'helper-not-reached': {
    meaning: 'Nobody serves at the socket of --helper, or this user may not connect to it.',
    remedy:
      'Start the helper first, or the socket unit that starts it; allow this user (--uid, --allow-uid).',
  },
  'already-in-use': {
    meaning: 'Another process has the socket, the port or the pidfile, or is being started there.',
    remedy: 'Stop the other one, or choose another place.',
  },
  'address-not-available': {
    meaning: 'Nobody can listen at this TCP or vsock address on this host.',
    remedy: 'Give an address of this host and a free port; for vsock, load its kernel module.',
  },
  'path-taken': {
    meaning: 'Something else has the name of the socket or pidfile, and is not replaced.',
    remedy: 'Remove it if nobody needs it, or choose another path.',
  },
  'link-not-trusted': {
    meaning: "Another user's symbolic link is on the way to the socket or pidfile.",
    remedy: 'Give a path without it.',
  },
  'file-not-created': {
    meaning: 'The socket or pidfile cannot be made at its path.',
    remedy: 'Look at the reason in the line: a directory that is missing, read-only, full or forbidden.',
  },

  // programs that start others
  'command-not-found': {
    status: NOT_FOUND,
    meaning: 'The command of run does not exist.',
    remedy: 'Correct its name, or PATH.',
  },
  'command-not-executable': {
    status: NOT_EXECUTABLE,
    meaning: 'The command of run cannot be executed.',
    remedy: 'Look at its mode, its format, and who runs it (--run-as).',
  },
  'ended-early': {
    meaning:
      'A program ended before it was ready. The exit status is that of the program if it has one, or 1.',
    remedy: 'Look at the signal or the words in the line, and at the kernel log.',
  },
  stopped: {
    meaning: 'A signal stopped the program before it was ready. The stopped program itself ends with 0.',
    remedy: 'Nothing, if you sent it; otherwise look who did.',
  },
  'parent-ended': {
    meaning: 'The process that started the server ended during the start.',
    remedy: 'Look why that ended, and start it again.',
  },
  'other-version': {
    meaning: 'A program of another version did not start, for a reason that this one has no code for.',
    remedy: 'Read the line; after an upgrade, restart what listens.',
  },
  bug: {
    meaning: 'A bug ended the program before it was ready.',
    remedy: 'Report it, with the log.',
  },
} as const;

export type StartErrorCode = keyof typeof startErrors;

/** The exit status of a start that fails for a reason. */
export function statusOf(code: StartErrorCode): number {
  const { status = ExitStatus.FAILURE }: StartFailure = startErrors[code];
  return status;
}

/** Something that keeps a program of ours from starting; the message says what was wrong and what to do. */
export class StartError extends Error {
  readonly code: StartErrorCode;
  readonly status: number;

  /** @param status that of a program that ended by itself */
  constructor(code: StartErrorCode, message: string, status: number = statusOf(code)) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Whether a failure is one of these, whichever of our programs' files it comes from: each has a class of its own. */
export function isStartError(error: unknown): error is StartError {
  return error instanceof Error && error.constructor.name === StartError.name;
}

/** Makes the error of a code and a reason, and says in it what was to be made. */
export type Fail = (code: StartErrorCode, reason: string) => StartError;

/** A wrong use of the command line. `program` is whose help tells of the right one. */
export function usageError(
  message: string,
  program = 'virtfs-proxy-helper',
  code: StartErrorCode = 'usage',
): StartError {
  return new StartError(code, `${message} (see ${program} --help)`);
}

/** The one line that tells of a failed start: the message, and the code in brackets. */
export function lineOf({ message, code }: Pick<StartError, 'message' | 'code'>): string {
  return `${message} [${code}]`;
}

const LINE = /^(.*) \[([a-z-]+)\]$/s;

/** Reads such a line, which may be one of another version of the programs. */
export function parseLine(line: string): Pick<StartError, 'message' | 'code'> {
  const [, message = line, code = ''] = LINE.exec(line) ?? [];
  return Object.hasOwn(startErrors, code)
    ? { message, code: code as StartErrorCode }
    : { message: line, code: 'other-version' };
}

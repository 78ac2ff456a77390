/** Numbers and flags that differ between architectures: kernel `arch/<arch>/include/uapi/asm`. */
interface Architecture {
  readonly syscalls: {
    readonly clone: number;
    readonly pidfd_open: number;
    readonly setresuid: number;
    readonly setresgid: number;
    readonly exit_group: number;
    readonly seccomp: number;
    readonly openat2: number;
    readonly open_tree: number;
    readonly move_mount: number;
    readonly pivot_root: number;
    readonly mount_setattr: number;
  };
  readonly O_DIRECTORY: number;
  readonly O_NOFOLLOW: number;
  readonly O_DIRECT: number;
  readonly O_LARGEFILE: number;
}

const architectures: Partial<Record<NodeJS.Architecture, Architecture>> = {
  x64: {
    syscalls: {
      clone: 56,
      pidfd_open: 434,
      setresuid: 117,
      setresgid: 119,
      exit_group: 231,
      seccomp: 317,
      openat2: 437,
      open_tree: 428,
      move_mount: 429,
      pivot_root: 155,
      mount_setattr: 442,
    },
    O_DIRECTORY: 0o200000,
    O_NOFOLLOW: 0o400000,
    O_DIRECT: 0o40000,
    O_LARGEFILE: 0o100000,
  },
  arm64: {
    syscalls: {
      clone: 220,
      pidfd_open: 434,
      setresuid: 147,
      setresgid: 149,
      exit_group: 94,
      seccomp: 277,
      openat2: 437,
      open_tree: 428,
      move_mount: 429,
      pivot_root: 41,
      mount_setattr: 442,
    },
    O_DIRECTORY: 0o40000,
    O_NOFOLLOW: 0o100000,
    O_DIRECT: 0o200000,
    O_LARGEFILE: 0o400000,
  },
};

const known = architectures[process.arch];
if (known === undefined) {
  throw new Error(
    `virtfs-proxy-helper knows no system call numbers for ${process.arch} (x64 and arm64 only)`,
  );
}
export const architecture: Architecture = known;

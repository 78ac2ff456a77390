/** QEMU with the words that every machine here has. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** nobody and nogroup: QEMU must not need more. */
export const unprivileged = { uid: 65534, gid: 65534 };

export interface Emulator {
  /** Who runs QEMU; nobody when left out. */
  readonly ids?: { readonly uid: number; readonly gid: number };
  /** More of QEMU's words, such as another device. */
  readonly words?: readonly string[];
  /** A Debian of its own, in a directory, whose QEMU and kernel are taken; those of this machine when left out. */
  readonly tree?: string;
  /** Of the guest, in MiB; 256 when left out. */
  readonly memory?: number;
  /** Of QEMU: how many files it may have open. */
  readonly openFiles?: number;
}

const enterTree = `
tree=$1; shift
mount --bind "$tree" "$tree" && mount --rbind /dev "$tree/dev" && mount --rbind /sys "$tree/sys" &&
  mount -t proc proc "$tree/proc" || exit
while [ "$1" != -- ]; do mkdir -p "$tree$1" && mount --bind "$1" "$tree$1" || exit; shift; done
shift; exec chroot "$tree" "$@"`;

/**
 * The words in front of a command that is to run in a tree.
 *
 * @param shared directories of this machine, which the tree has at the same paths
 */
export function inTree(tree: string, ...shared: readonly string[]): string[] {
  return ['unshare', '--mount', 'sh', '-c', enterTree, 'sh', tree, ...shared, '--'];
}

/** @param inherited descriptors that QEMU has from 3 on */
export function startQemu(
  directory: string,
  { ids: { uid, gid } = unprivileged, words = [], tree, memory = 256, openFiles }: Emulator,
  inherited: readonly number[],
): ChildProcess {
  const run = path.join(directory, 'run');
  const log = fs.openSync(path.join(directory, 'qemu.log'), 'a');
  // setpriv: QEMU dies with its starter, however that ends; what serves it then sees its connection closed.
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--pdeathsig=KILL'];
  const [program, ...argv] = [
    ...(tree === undefined ? [] : inTree(tree, directory)),
    ...(openFiles === undefined ? [] : ['prlimit', `--nofile=${openFiles}`]),
    ...['setpriv', ...identity, 'qemu-system-x86_64'],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-monitor', 'none'],
    ...['-machine', 'pc,memory-backend=memory', '-accel', 'tcg', '-m', `${memory}`, '-smp', '1'],
    // which a vhost-user device needs
    ...['-object', `memory-backend-memfd,id=memory,size=${memory}M,share=on`],
    ...['-kernel', path.join(run, 'kernel'), '-initrd', path.join(run, 'initramfs')],
    '-append',
    'console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check audit=0 apparmor=0',
    ...['-serial', `file:${path.join(run, 'serial.log')}`],
    ...['-chardev', `socket,id=agent,path=${path.join(run, 'agent.sock')}`],
    ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=agent,nr=1'],
    ...words,
  ];
  const qemu = spawn(program!, argv, { stdio: ['ignore', log, log, ...inherited] });
  fs.closeSync(log);
  return qemu;
}

import type { OptionTable } from '../../cli/arguments.js';

/** What `share` takes besides the options of the helper, in the order of the help text. */
export const serverOptions = {
  listen: {
    value: 'ADDRESS',
    help: 'where the guest connects (unix:PATH, tcp:ADDRESS:PORT, vsock:PORT, fd:N), or its emulator (vhost-user:PATH, vhost-user-fd:N)',
  },
  tag: { value: 'NAME', help: 'the mount tag of a vhost-user device: the name that the guest mounts' },
  'run-as': {
    value: 'USER',
    help: 'user of the process that speaks to the guest, by name or id (default: 65534, nobody)',
  },
  'keep-listening': { help: 'serve every client that connects, each with processes of its own' },
  uid: { value: 'USER', help: 'owner of a unix socket, by name or id (default: the caller)' },
  gid: { value: 'GROUP', help: 'group of a unix socket, by name or id (default: the caller)' },
  'allow-uid': {
    value: 'USER',
    repeatable: true,
    help: 'another user who may connect to a unix socket, if its mode allows it; repeatable',
  },
  'allow-cid': {
    value: 'CID',
    repeatable: true,
    help: 'context id of a machine that may connect to a vsock port; repeatable (default: every machine)',
  },
  'allow-network': { help: 'allow a tcp address that other machines can reach: 9P has no authentication' },
  coherent: {
    help: 'make the guest cache no file, so that it sees changes of the host at once (Linux 6.4 and later)',
  },
  msize: { value: 'BYTES', help: 'maximum size of a message: 4096 to 1048576 (default 524288)' },
  'max-fids': { value: 'N', help: 'maximum number of fids of a guest (default 65536)' },
  'max-requests': { value: 'N', help: 'maximum number of requests in flight (default 128)' },
  'max-open': { value: 'N', help: 'maximum number of descriptors open for a guest (default 960)' },
  'max-xattr-bytes': {
    value: 'BYTES',
    help: 'maximum memory for extended attributes that a guest is writing (default 8388608)',
  },
  'helper-restarts': {
    value: 'N',
    help: 'how many times within a minute a helper that died is replaced: 0 to 1000 (default 5)',
  },
  'ready-fd': {
    value: 'N',
    help: 'write "ready", or the reason of a failure, to descriptor N instead of stderr',
  },
} as const satisfies OptionTable;

export type ServerOptionName = keyof typeof serverOptions;

export function isServerOption(name: string): name is ServerOptionName {
  return Object.hasOwn(serverOptions, name);
}

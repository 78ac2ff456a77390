import type { OptionTable } from '../../cli/arguments.js';

/** What `share` takes besides the options of the helper, in the order of the help text. */
export const serverOptions = {
  listen: {
    value: 'ADDRESS',
    help: 'where the guest connects: unix:PATH, tcp:ADDRESS:PORT, vsock:PORT, fd:N, an inherited socket; or its emulator: vhost-user:PATH, vhost-user-fd:N',
  },
  tag: { value: 'NAME', help: 'the mount tag of a vhost-user device: what the guest mounts' },
  'run-as': {
    value: 'USER',
    help: 'the user, a name or an id, of the process that speaks to the guest (default: 65534, nobody)',
  },
  'keep-listening': { help: 'serve every client that connects, each by processes of its own' },
  uid: { value: 'USER', help: 'owner of a unix socket, a name or an id (default: the caller)' },
  gid: { value: 'GROUP', help: 'group of a unix socket, a name or an id (default: the caller)' },
  'allow-uid': {
    value: 'USER',
    repeatable: true,
    help: 'may connect to a unix socket as well as --uid and root, if its mode lets it; repeatable',
  },
  'allow-cid': {
    value: 'CID',
    repeatable: true,
    help: 'may connect to a vsock port: the context id of a machine; repeatable (default: every one)',
  },
  'allow-network': { help: 'let a tcp address be one that other machines reach: 9P has no authentication' },
  coherent: { help: 'tell the guest when a file changed on the host, so that it can cache' },
  msize: { value: 'BYTES', help: 'the longest message: 4096 to 1048576 (default 524288)' },
  'max-fids': { value: 'N', help: 'how many files the guest may have in use (default 65536)' },
  'max-requests': { value: 'N', help: 'how many requests may be under way at once (default 128)' },
  'max-open': { value: 'N', help: 'how many descriptors may be open for the guest (default 1024)' },
  'max-xattr-bytes': {
    value: 'BYTES',
    help: 'memory for extended attributes that are being written (default 8388608)',
  },
  'helper-restarts': {
    value: 'N',
    help: 'how many helpers may take the place of one that died, within a minute: 0 to 1000 (default 5)',
  },
  'ready-fd': {
    value: 'N',
    help: 'tell descriptor N "ready", or in one line why not, which stderr is then not told',
  },
} as const satisfies OptionTable;

export type ServerOptionName = keyof typeof serverOptions;

export function isServerOption(name: string): name is ServerOptionName {
  return Object.hasOwn(serverOptions, name);
}

// The rooms of ARCHITECTURE.md as rules: what may know what. Data flows one way, from socket to syscall.
const room = (name) => `^src/${name}/`;
const only = (name, allowed, comment) => ({
  name: `${name}-knows-only-its-neighbours`,
  comment,
  severity: 'error',
  from: { path: room(name) },
  // every room may know the ways in which a start fails
  to: {
    path: '^src/',
    pathNot: ['^src/startup/(exit-status|start-errors)\\.ts$', ...[name, ...allowed].map(room)],
  },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: '\\.d\\.c?ts$' },
      to: {},
    },
    {
      name: 'packages-with-machine-code-only-through-their-loader',
      comment: 'What does not load is told in one line that says what to type.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: 'node_modules/(koffi|posix)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'koffi-only-in-syscalls',
      severity: 'error',
      from: { path: '^src/', pathNot: room('syscalls') },
      to: { path: 'node_modules/koffi' },
    },
    {
      name: 'the-wall',
      comment:
        'The helper and the 9P server are two programs with different rights. They share what is outside both rooms.',
      severity: 'error',
      // the command line of both is one table
      from: { path: room('helper'), pathNot: '^src/helper/cli/commands\\.ts$' },
      to: { path: room('server') },
    },
    {
      name: 'the-wall-from-the-other-side',
      severity: 'error',
      from: { path: room('server') },
      to: { path: [room('helper'), room('syscalls/privileged')] },
    },

    {
      name: 'the-harness-is-independent',
      comment: 'What tests and benchmarks share checks our code against code that does not come from it.',
      severity: 'error',
      from: { path: '^harness/' },
      to: { path: '^(src|test|bench)/' },
    },

    // what both programs stand on
    only('abi', [], "Linux' numbers and nothing that runs."),
    only('proxy-protocol', ['abi'], 'Pure: bytes in, values out. Both sides of the wall speak it.'),
    only('native', [], 'npm packages with machine code.'),
    only('syscalls', ['abi', 'native'], 'libc and nothing else.'),
    only('observability', ['abi', 'syscalls'], 'Loggers and counters.'),
    only(
      'confinement',
      ['abi', 'syscalls'],
      'How a process gives up rights; which ones is for each program to say.',
    ),
    only('service', ['abi', 'syscalls'], 'What a service manager passes, and what it is told.'),
    only(
      'startup',
      ['abi', 'native', 'observability', 'service', 'syscalls'],
      'What every program needs to start and to tell why it did not.',
    ),
    only(
      'status',
      ['abi', 'cli', 'observability', 'proxy-protocol', 'server/p9', 'syscalls'],
      'Asks running helpers and servers what they do.',
    ),
    only('accepting', ['abi', 'syscalls'], 'Clients of a listening socket, whoever they are.'),
    only('cli', ['abi'], 'Command lines, whatever their options are.'),

    // the helper, from the socket to the system call
    only(
      'helper/transport',
      ['abi', 'proxy-protocol', 'syscalls'],
      'Frames in, replies and descriptors out.',
    ),
    only(
      'helper/session',
      ['abi', 'helper/operations', 'helper/transport', 'observability', 'proxy-protocol', 'syscalls'],
      'One client.',
    ),
    only(
      'helper/operations',
      ['abi', 'helper/paths', 'helper/security-models', 'observability', 'proxy-protocol', 'syscalls'],
      'One table: request to handler.',
    ),
    only(
      'helper/security-models',
      ['abi', 'helper/credentials', 'helper/paths', 'proxy-protocol', 'syscalls'],
      'What an operation becomes on the host.',
    ),
    only(
      'helper/paths',
      ['abi', 'proxy-protocol', 'syscalls'],
      'Bytes of a request to paths that the kernel takes.',
    ),
    only('helper/credentials', ['abi', 'syscalls'], 'Whose ids and capabilities an operation runs with.'),
    only(
      'helper/confinement',
      ['abi', 'confinement', 'syscalls'],
      'What the serving program may not do any more.',
    ),
    only(
      'helper/listening',
      ['abi', 'accepting', 'helper/cli', 'startup', 'syscalls'],
      "Accepting clients, the processes of a listener's.",
    ),
    only(
      'helper/cli',
      ['abi', 'cli', 'confinement', 'helper/security-models', 'observability', 'server/cli', 'service'],
      'Flags to a validated configuration.',
    ),
    only(
      'helper/launch',
      [
        'abi',
        'cli',
        'confinement',
        'helper/cli',
        'helper/confinement',
        'helper/credentials',
        'helper/listening',
        'helper/security-models',
        'native',
        'observability',
        'service',
        'startup',
        'syscalls',
      ],
      'Everything that needs full privileges.',
    ),
    // the 9P server, from the guest to the helper
    only(
      'server/transports',
      ['abi', 'accepting', 'cli', 'service', 'startup', 'syscalls'],
      'Where clients come from, and the bytes to and from one of them.',
    ),
    only(
      'server/cli',
      ['abi', 'cli', 'server/transports', 'service', 'startup'],
      'Flags to a validated configuration.',
    ),
    only('server/confinement', ['abi', 'confinement'], 'What the 9P server may call.'),
    only(
      'server/launch',
      [
        'abi',
        'cli',
        'confinement',
        'observability',
        'server/session',
        'server/transports',
        'service',
        'startup',
        'syscalls',
      ],
      'Takes all rights away from the process that becomes the 9P server.',
    ),
    only('server/p9', ['abi'], 'Pure: bytes in, values out. No number of a guest is believed.'),
    only(
      'server/helper-client',
      ['abi', 'proxy-protocol', 'syscalls'],
      'Requests to the helper and its replies.',
    ),
    only(
      'server/fids',
      ['abi', 'proxy-protocol', 'server/p9', 'syscalls'],
      'What a client knows of the tree, and has open.',
    ),
    only(
      'server/operations',
      ['abi', 'proxy-protocol', 'server/fids', 'server/helper-client', 'server/p9', 'syscalls'],
      'One table: message to handler.',
    ),
    only(
      'server/session',
      [
        'abi',
        'observability',
        'server/fids',
        'server/helper-client',
        'server/operations',
        'server/p9',
        'server/transports',
        'syscalls',
      ],
      'One client: order, limits, replies.',
    ),
    only(
      'server/vhost-user',
      ['abi', 'observability', 'server/operations', 'server/p9', 'server/session', 'syscalls'],
      'The guest as a device of its emulator: memory, ring, and the messages about them.',
    ),
    only(
      'run',
      [
        'abi',
        'accepting',
        'cli',
        'helper/cli',
        'native',
        'observability',
        'server/cli',
        'server/helper-client',
        'server/launch',
        'server/transports',
        'service',
        'startup',
        'syscalls',
      ],
      'Starts programs beside the command that uses them.',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};

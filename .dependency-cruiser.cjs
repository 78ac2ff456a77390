// The rooms of ARCHITECTURE.md as rules: what may know what. Data flows one way, from socket to syscall.
const room = (name) => `^src/${name}/`;
const only = (name, allowed, comment) => ({
  name: `${name}-knows-only-its-neighbours`,
  comment,
  severity: 'error',
  from: { path: room(name) },
  // every room may know the ways in which a start fails
  to: { path: '^src/', pathNot: ['^src/exit-status\\.ts$', ...[name, ...allowed].map(room)] },
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
      to: { path: 'node_modules/(koffi|node-unix-socket|posix)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'koffi-only-in-syscalls',
      severity: 'error',
      from: { path: '^src/', pathNot: room('syscalls') },
      to: { path: 'node_modules/koffi' },
    },
    only('protocol', [], 'Pure: bytes in, values out. Shared with clients of the helper later.'),
    only('native', [], 'npm packages with machine code.'),
    only('syscalls', ['native'], 'libc and nothing else.'),
    only('observability', ['syscalls'], 'Loggers and counters.'),
    only('paths', ['syscalls', 'protocol'], 'Bytes of a request to paths that the kernel takes.'),
    only('credentials', ['syscalls'], 'Whose ids and capabilities an operation runs with.'),
    only(
      'security-models',
      ['credentials', 'paths', 'protocol', 'syscalls'],
      'What an operation becomes on the host.',
    ),
    only('operations', ['security-models', 'protocol', 'syscalls'], 'One table: request to handler.'),
    only('transport', ['protocol', 'syscalls'], 'Frames in, replies and descriptors out.'),
    only(
      'session',
      ['transport', 'protocol', 'operations', 'observability', 'native', 'syscalls'],
      'One client.',
    ),
    only('status', ['cli', 'observability', 'syscalls'], 'Asks running helpers what they do.'),
    only('confinement', ['syscalls'], 'What the serving program may not do any more.'),
    only('listening', ['cli', 'startup', 'syscalls'], "Accepting clients, the processes of a listener's."),
    only('startup', ['observability', 'service', 'syscalls'], 'How a start is reported, and why it failed.'),
    only('service', ['syscalls'], 'What a service manager passes, and what it is told.'),
    only(
      'cli',
      ['confinement', 'observability', 'security-models', 'service'],
      'Flags to a validated configuration.',
    ),
    only(
      'run',
      ['cli', 'native', 'startup', 'syscalls'],
      'Starts helpers beside the command that uses them.',
    ),
    only(
      'launch',
      [
        'cli',
        'confinement',
        'credentials',
        'listening',
        'native',
        'observability',
        'security-models',
        'service',
        'startup',
        'syscalls',
      ],
      'Everything that needs full privileges.',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};

import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Everything that would run on a pool thread, which does not have the credentials of the main thread. */
const otherThreads = ['fs', 'fs/promises', 'child_process', 'worker_threads', 'dns', 'zlib'].flatMap(
  (name) => [name, `node:${name}`],
);

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', '.cache/'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: {
          allowDefaultProject: ['eslint.config.js', '.dependency-cruiser.cjs', 'examples/*.mjs'],
        },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // a parameter that only an overriding method uses
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      'max-lines': ['error', 300],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts', 'src/**/*.mts'],
    rules: { 'max-params': ['error', 4] },
  },
  {
    files: ['src/**/*.ts', 'src/**/*.mts'],
    ignores: [
      'src/cli/**',
      'src/helper/cli/**',
      'src/helper/launch/**',
      'src/run/**',
      'src/confinement/user-namespace.ts',
      'src/server/launch/**',
      'src/status/**',
      'src/bin/helper.ts',
      'src/helper/listening/client-processes.ts',
      // before the root changes, and of whoever waits for a helper to start
      'src/startup/background-threads.ts',
      'src/startup/pidfile.ts',
      'src/startup/report-descriptor.ts',
      'src/startup/early-end.ts',
      'src/startup/journal.ts',
    ],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: otherThreads.map((name) => ({
            name,
            message: 'The serving program makes synchronous libc calls only, through src/syscalls.',
          })),
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        ...['setgroups', 'initgroups', 'setgid', 'setuid', 'setegid', 'seteuid'].map((property) => ({
          object: 'process',
          property,
          message:
            'Node refuses this where it was built with a libuv that may use io_uring, as Debian 13 has it.',
        })),
      ],
    },
  },
  {
    files: ['harness/**/*.ts', 'test/**/*.ts', 'scripts/**/*.ts', 'examples/**'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-console': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.cjs', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: {
        module: 'writable',
        process: 'readonly',
        console: 'readonly',
        encodeURIComponent: 'readonly',
      },
    },
  },
  {
    // read by every Node, which then can say that it is too old
    files: ['src/*.cjs'],
    languageOptions: { sourceType: 'commonjs', ecmaVersion: 5 },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
);

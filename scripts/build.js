import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { build } from 'esbuild';
import ts from 'typescript';

/**
 * Each of the programs as one CommonJS file: Node loads it several times faster than 70 ES modules, and a helper is
 * started for every virtual machine. The packages with machine code stay outside.
 *   node scripts/build.js [DIRECTORY]    (default: dist)
 */

const [, , output = 'dist'] = process.argv;
rmSync(output, { recursive: true, force: true });
const common = {
  outdir: output,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  external: ['koffi', 'posix', './node-version.cjs'],
  alias: { worker_threads: `${import.meta.dirname}/main-thread.cjs` },
  sourcemap: false,
  // half as much to read and parse at every start; names stay, for the stack of a bug
  minifyWhitespace: true,
  minifySyntax: true,
  // Node shows the line of a bug, which shall not be a whole program
  lineLimit: 200,
  legalComments: 'linked',
  logLevel: 'warning',
};
await build({
  ...common,
  // The names in dist/ stay from version to version: a listener of the version before starts client.js.
  entryPoints: {
    'starting-program': 'src/bin/helper.ts',
    commands: 'src/bin/helper-commands.ts',
    serve: 'src/bin/helper-serve.ts',
    listen: 'src/bin/helper-listen.ts',
    client: 'src/bin/helper-start-client.ts',
    follow: 'src/bin/helper-follow-mounts.ts',
    'p9-server-start': 'src/bin/p9-server-start.ts',
    'p9-server': 'src/bin/p9-server.ts',
  },
  format: 'cjs',
  // what `createRequire` takes
  define: { 'import.meta.url': '__filename' },
});
writeFileSync(`${output}/package.json`, '{ "type": "commonjs" }\n');
/** What every Node can read, as it is. */
copyFileSync('src/node-version.cjs', `${output}/node-version.cjs`);
copyFileSync('src/main.cjs', `${output}/main.js`);
chmodSync(`${output}/main.js`, 0o755);

/** The library, for `import`, and its types: the declarations of just the files that it shows something of. */
await build({
  ...common,
  entryPoints: ['src/library.mts'],
  format: 'esm',
  outExtension: { '.js': '.mjs' },
});
for (const [source, declarations] of [
  ['src/library.mts', `${output}/library.d.mts`],
  ['src/run/listening-share.ts', `${output}/run/listening-share.d.ts`],
  ['src/run/share.ts', `${output}/run/share.d.ts`],
  ['src/startup/start-errors.ts', `${output}/startup/start-errors.d.ts`],
]) {
  const { outputText } = ts.transpileDeclaration(readFileSync(source, 'utf8'), { fileName: source });
  mkdirSync(dirname(declarations), { recursive: true });
  writeFileSync(declarations, outputText);
}

/** The man page. Its generator is TypeScript, so it is bundled, too, but only to be run here. */
const {
  outputFiles: [generator],
} = await build({ ...common, entryPoints: ['scripts/manual.ts'], format: 'esm', write: false });
const { manual } = await import(`data:text/javascript,${encodeURIComponent(generator.text)}`);
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
mkdirSync(`${output}/man`, { recursive: true });
writeFileSync(`${output}/man/virtfs-proxy-helper.8`, manual(version));

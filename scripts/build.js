import { chmodSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

/**
 * Each of the two programs as one CommonJS file: Node loads it several times faster than 70 ES modules, and a helper is
 * started for every virtual machine. The packages with machine code stay outside.
 */

await build({
  entryPoints: ['src/main.ts', 'src/serve.ts'],
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  external: ['koffi', 'node-unix-socket', 'posix'],
  sourcemap: false,
  legalComments: 'linked',
  logLevel: 'warning',
});
writeFileSync('dist/package.json', '{ "type": "commonjs" }\n');
chmodSync('dist/main.js', 0o755);

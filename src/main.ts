#!/usr/bin/env node
import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { configure, seccompMode } from './cli/configuration.js';
import { helpText, parseOptions } from './cli/options.js';
import { describePrivileges } from './confinement/description.js';
import { StartError } from './exit-status.js';

/** The starting program: reads the command line, prepares, and becomes `serve.ts`. */

/** The installed programs lie side by side; the command's name is a link to this one. */
const here = dirname(realpathSync(process.argv[1] ?? ''));

function version(): string {
  const manifest = readFileSync(join(here, '..', 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

async function main(): Promise<void> {
  const values = parseOptions(process.argv.slice(2));
  if (values.help === true) {
    process.stdout.write(helpText());
  } else if (values.version === true) {
    process.stdout.write(`virtfs-proxy-helper ${version()}\n`);
  } else if (values['print-privileges'] === true) {
    process.stdout.write(describePrivileges(seccompMode(values)));
  } else {
    const configuration = configure(values);
    // loads libc, which the help text must not need
    const { launch } = await import('./launch/launch.js');
    await launch(configuration, join(here, 'serve.js'));
  }
}

main().catch((error: unknown) => {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`virtfs-proxy-helper: ${error.message}\n`);
  process.exitCode = error.status;
});

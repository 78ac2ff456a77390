#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { configure, seccompMode } from './cli/configuration.js';
import { helpText, parseOptions } from './cli/options.js';
import { describePrivileges } from './confinement/description.js';
import { ExitStatus, StartError } from './exit-status.js';

/** The starting program: reads the command line, prepares, and becomes `serve.ts`. */

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

try {
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
    await launch(configuration);
  }
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`virtfs-proxy-helper: ${error.message}\n`);
  process.exitCode = error.status;
}
process.exitCode ??= ExitStatus.OK;

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { completionScript } from '../../src/helper/cli/completion.js';
import { commands } from '../../src/helper/cli/commands.js';
import { options } from '../../src/helper/cli/options.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = spawnSync('zsh', ['--version']).error === undefined ? undefined : 'zsh is not installed';
if (skipped !== undefined) console.warn(`completion in zsh skipped: ${skipped}`);

/** How the script comes to zsh: as the documentation says, or as a file that is installed. */
const SOURCED = 'source ./_virtfs-proxy-helper';
const INSTALLED = 'fpath=($PWD $fpath); compinit -u -D';

/** What an interactive zsh shows when the tab key is pressed behind these words. */
function offered(line: string, load = SOURCED, tabs = '\\t\\t'): string {
  const place = exportForTest();
  writeFileSync(join(place, '_virtfs-proxy-helper'), completionScript('zsh'));
  mkdirSync(join(place, 'only-directory'));
  // a terminal of its own; the second tab lists what the first could not decide
  const program = `
    zmodload zsh/zpty
    zpty shell TERM=dumb COLUMNS=200 LINES=500 zsh -f -i
    zpty -w shell 'autoload -U compinit; compinit -u -D; ${load}; setopt auto_list list_rows_first'
    zpty -w shell 'LISTMAX=1000; stty columns 200 rows 500; bindkey "^I" complete-word; PS1=at-""prompt'
    # typed before the prompt is there, a tab is just a tab
    zpty -r -m shell out '*at-prompt*'
    zpty -w -n shell "$1"$'${tabs}'
    sleep 1
    zpty -w -n shell $'\\C-u'
    zpty -w shell 'echo end-here'
    zpty -r -m shell out '*end-here*'
    print -r -- "$out"`;
  return spawnSync('zsh', ['-f', '-c', program, 'zsh', line], {
    cwd: place,
    encoding: 'utf8',
    timeout: 20_000,
  }).stdout;
}

describe.skipIf(skipped !== undefined)('completion in zsh', () => {
  it('offers every option', () => {
    const shown = offered('virtfs-proxy-helper --');
    for (const name of Object.keys(options)) expect(shown).toContain(`--${name}`);
  });

  it('works from its first use on when it is a file of $fpath', () => {
    expect(offered('virtfs-proxy-helper --seccomp ', INSTALLED, '\\t')).toMatch(/kill\s+log\s+none/);
  });

  it('offers the values of an option, and directories', () => {
    expect(offered('virtfs-proxy-helper --seccomp ')).toMatch(/kill\s+log\s+none/);
    expect(offered('virtfs-proxy-helper --path ')).toContain('only-directory/');
  });

  it('offers the commands, and the options of each', () => {
    const shown = offered('virtfs-proxy-helper ');
    for (const name of Object.keys(commands)) expect(shown).toContain(name);
    expect(offered('virtfs-proxy-helper run --ru')).toContain('--run-as');
  });
});

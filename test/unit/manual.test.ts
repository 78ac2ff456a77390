import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { manual } from '../../scripts/manual.js';
import { commands } from '../../src/cli/commands.js';
import { options } from '../../src/cli/options.js';

const mandoc = (...argv: string[]): SpawnSyncReturns<string> =>
  spawnSync('mandoc', argv, { input: manual('1.2.3'), encoding: 'utf8' });

describe('the man page', () => {
  it('has no mistake that mandoc knows of', () => {
    expect(mandoc('-T', 'lint', '-W', 'warning')).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it('tells of every option and every command', () => {
    // bold is a letter, a backspace and the letter again
    const pieces = mandoc('-T', 'ascii', '-O', 'width=200').stdout.split('\b');
    const page = pieces
      .map((piece, index) => (index + 1 < pieces.length ? piece.slice(0, -1) : piece))
      .join('');
    for (const [name, { help }] of Object.entries(options)) {
      expect(page).toMatch(new RegExp(`^ +(-\\w, )?--${name}( |$)`, 'm'));
      expect(page.replaceAll(/\s+/g, ' ')).toContain(help);
    }
    for (const [name, command] of Object.entries(commands)) {
      expect(page).toContain(`virtfs-proxy-helper ${name} `);
      for (const option of Object.keys(command.options)) expect(page).toContain(`--${option}`);
    }
  });
});

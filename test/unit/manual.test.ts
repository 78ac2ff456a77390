import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manual } from '../../scripts/manual.js';
import { commands } from '../../src/helper/cli/commands.js';
import { options } from '../../src/helper/cli/options.js';
import { ExitStatus } from '../../src/startup/exit-status.js';
import { startErrors } from '../../src/startup/start-errors.js';

const mandoc = (...argv: string[]): SpawnSyncReturns<string> =>
  spawnSync('mandoc', argv, { input: manual('1.2.3'), encoding: 'utf8' });

/** The page as a terminal shows it, without its bold letters: a letter, a backspace and the letter again. */
function shown(): string {
  const pieces = mandoc('-T', 'ascii', '-O', 'width=200').stdout.split('\b');
  return pieces.map((piece, index) => (index + 1 < pieces.length ? piece.slice(0, -1) : piece)).join('');
}

describe('the man page', () => {
  it('has no mistake that mandoc knows of', () => {
    expect(mandoc('-T', 'lint', '-W', 'warning')).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it('is of section 8, and has the sections that an administrator looks for', () => {
    const page = shown();
    expect(page).toMatch(/^VIRTFS-PROXY-HELPER\(8\)/);
    const sections = [...page.matchAll(/^[A-Z][A-Z ]+$/gm)].map(([title]) => title);
    expect(sections).toEqual([
      ...['NAME', 'SYNOPSIS', 'DESCRIPTION', 'COMMANDS', 'SIGNALS', 'ENVIRONMENT', 'FILES', 'EXIT STATUS'],
      ...['EXAMPLES', 'DIAGNOSTICS', 'SEE ALSO'],
    ]);
  });

  it('tells of every exit status, every signal that is handled and every variable that is read', () => {
    const page = shown();
    for (const status of Object.values(ExitStatus)) expect(page).toMatch(new RegExp(`^     ${status} `, 'm'));
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.m?ts$/.test(name))
      .map((name) => readFileSync(join('src', name), 'utf8'))
      .join('\n');
    // a handler, or a list of signals that get one
    const handled = new Set(sources.match(/(?<=')SIG(TERM|INT|HUP|QUIT|USR1|USR2)(?=')/g));
    expect([...handled].sort()).toEqual(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2']);
    for (const signal of handled) expect(page).toContain(signal);
    const managers =
      /\b(?:LISTEN|NOTIFY|WATCHDOG|JOURNAL|NODE)_(?:PID|FDS|FDNAMES|SOCKET|USEC|STREAM|OPTIONS)\b/g;
    const variables = new Set(sources.match(managers));
    expect(variables.size).toBe(8);
    for (const variable of variables) expect(page).toContain(variable);
  });

  it('tells of every code of a failed start', () => {
    const page = shown().replaceAll(/\s+/g, ' ');
    for (const [code, { meaning, remedy }] of Object.entries(startErrors))
      expect(page).toContain(` ${code} ${meaning} ${remedy} `);
  });

  it('names the files of the units', () => {
    const page = shown();
    const units = ['service', 'socket'].map((kind) =>
      readFileSync(`systemd/virtfs-proxy-helper@.${kind}`, 'utf8'),
    );
    for (const file of [
      '/etc/virtfs-proxy-helper/VM.conf',
      '/run/virtfs-proxy-helper/VM/9p.sock',
      '/run/virtfs-proxy-helper-control/VM/socket',
    ]) {
      expect(units.join('\n')).toContain(file.replace('VM', '%i'));
      expect(page).toContain(file);
    }
    for (const unit of units) expect(unit).toContain('Documentation=man:virtfs-proxy-helper(8)');
  });

  it('tells of every option and every command', () => {
    const page = shown();
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

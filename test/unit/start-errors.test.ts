/** The catalogue of failed starts: every code is used, and the documentation has the same ones. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  lineOf,
  parseLine,
  type StartErrorCode,
  startErrors,
  statusOf,
  StartError,
} from '../../src/startup/start-errors.js';

const codes = Object.keys(startErrors) as StartErrorCode[];

describe('the catalogue of failed starts', () => {
  it('has no code that nothing fails with', () => {
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.m?ts$/.test(name) && name !== 'startup/start-errors.ts')
      .map((name) => readFileSync(join('src', name), 'utf8'))
      .join('\n');
    // the one is what usageError makes where nothing else is said, the other what a line is that has none of our codes
    const made = new Set<StartErrorCode>(['usage', 'other-version']);
    expect(codes.filter((code) => !made.has(code) && !sources.includes(`'${code}'`))).toEqual([]);
  });

  it('has codes of the same form, and whole sentences', () => {
    for (const [code, { meaning, remedy }] of Object.entries(startErrors)) {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
      for (const sentence of [meaning, remedy]) expect(sentence).toMatch(/^(-*[A-Z-]).*\.$/);
    }
  });

  it('is the table of docs/start-errors.md', () => {
    const rows = codes.map((code) => [
      `\`${code}\``,
      String(statusOf(code)),
      startErrors[code].meaning,
      startErrors[code].remedy,
    ]);
    const table = readFileSync('docs/start-errors.md', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) =>
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      );
    expect(table).toEqual(rows);
  });
});

describe('the line of a failed start', () => {
  it('has the code in brackets at its end, and is read back', () => {
    const error = new StartError('export-not-found', 'cannot export /srv [old]: gone');
    expect(lineOf(error)).toBe('cannot export /srv [old]: gone [export-not-found]');
    expect(parseLine(lineOf(error))).toEqual({ code: error.code, message: error.message });
  });

  it.each(['no room', 'no room [not-yet-invented]', 'no room [toString]', 'no room [constructor]'])(
    'of another version keeps all of its text: %s',
    (line) => {
      expect(parseLine(line)).toEqual({ code: 'other-version', message: line });
    },
  );
});

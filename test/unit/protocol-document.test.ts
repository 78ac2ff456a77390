/** docs/protocol.md has every request and reply as they are declared. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { payloads } from '../../src/proxy-protocol/replies.js';
import { requests } from '../../src/proxy-protocol/requests.js';

const rows = readFileSync(join(repositoryRoot, 'docs/protocol.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

/** Fields in wire order, as a cell of a table has them. */
function cell(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, kind]) => `${kind} ${name}`)
    .join(', ');
}

describe('docs/protocol.md', () => {
  it('has every request, and no other', () => {
    const declared = Object.entries(requests).map(([name, { opcode, fields, reply }]) => [
      ...[String(opcode), name.toUpperCase()],
      ...[cell(fields), reply],
    ]);
    expect(rows.filter(([first = '']) => /^\d+$/.test(first))).toEqual(declared);
  });

  it('has the payload of every reply that has one', () => {
    const declared = Object.entries(payloads).map(([name, payload]) => [
      name.toUpperCase(),
      typeof payload === 'string' ? payload : cell(payload),
    ]);
    expect(rows.filter(([first = '']) => /^[A-Z]+$/.test(first))).toEqual(declared);
  });
});

/** Whose numbers are in the metrics, where anybody's process may answer. */
import { expect, it } from 'vitest';
import type { Asked } from '../../src/status/machines.js';
import { series } from '../../src/status/series.js';

interface Named {
  readonly name: string;
}

const answering = (socket: string, name: string): Asked<Named> => ({ socket, answer: { status: { name } } });
const silent = (socket: string): Asked<Named> => ({
  socket,
  answer: { status: undefined, absent: false, reason: 'no answer' },
});
const nameOf = ({ name }: Named): string => name;

it('are of one process for each socket, and that is the one that answers', () => {
  const halves = [silent('/a'), silent('/a'), answering('/a', 'x'), answering('/a', 'y'), silent('/b')];
  expect(series(halves, String, nameOf)).toEqual({
    scraped: [
      { socket: '/a', status: { name: 'x' } },
      { socket: '/b', status: undefined },
    ],
    leftOut: [],
  });
});

it.each(['x', 'é', '\u{1f600}'])('have room for so many names, however long they are: of %s', (character) => {
  const name = character.repeat(4096 / Buffer.byteLength(character));
  const halves = Array.from({ length: 5000 }, (_, number) => answering(`/${number}`, name));
  const { scraped, leftOut } = series([answering('/first', 'x'), ...halves, silent('/last')], String, nameOf);
  const bytes = scraped.reduce((sum, { status }) => sum + Buffer.byteLength(status?.name ?? ''), 0);
  expect(bytes).toBeGreaterThan(450_000);
  expect(bytes).toBeLessThan(524_288);
  expect(scraped.length + leftOut.length).toBe(5002);
  expect([scraped[0]?.socket, scraped.at(-1)?.socket]).toEqual(['/first', '/last']);
});

it('leave out none of two thousand with usual names', () => {
  const halves = Array.from({ length: 2000 }, (_, number) =>
    answering(`/run/virtfs-proxy-helper-control/vm${number}/socket`, `/srv/shares/machine-${number}/data`),
  );
  expect(series(halves, String, nameOf).leftOut).toEqual([]);
});

/** `server` beside what is no good helper: its clients and its end do not depend on it. */
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { PATIENCE, place, type Place, serverAt } from './halves.js';

/** What accepts connections and never answers. @returns the connections as they come */
function muteHelperAt({ helperSocket }: Place): { next: () => Promise<Socket> } {
  const come: Socket[] = [];
  const listener = createServer((socket) => {
    come.push(socket.on('error', () => undefined).resume());
  }).listen(helperSocket);
  onTestFinished(() => {
    listener.close();
    for (const socket of come) socket.destroy();
  });
  let taken = 0;
  return {
    next: async () => {
      await vi.waitUntil(() => come.length > taken, PATIENCE);
      return come[taken++]!;
    },
  };
}

describe('the command server beside a helper that does not answer', () => {
  it('ends at once by a signal while a helper does not answer', async () => {
    const here = place();
    const asked = muteHelperAt(here);
    const server = serverAt(here);
    await asked.next();
    server.child.kill('SIGTERM');
    expect(await server.end()).toMatchObject({ status: 0, signal: null });
  });

  it('tells that a helper does not answer in time', async () => {
    const here = place();
    muteHelperAt(here);
    const { status, code, report } = await serverAt(here).end();
    expect({ status, code }).toEqual({ status: 1, code: 'helper-not-reached' });
    expect(report).toContain('it does not answer: connection timed out (ETIMEDOUT)');
  });

  it('keeps no place for guests that have left while a helper did not answer, and ends by a signal', async () => {
    const here = place();
    const asked = muteHelperAt(here);
    const server = await serverAt(here, ['--keep-listening']).ready();
    // connected to once to see that somebody listens
    await asked.next();
    const left = connect(here.path);
    const toLeft = await asked.next();
    const given = new Promise((resolve) => toLeft.on('close', resolve));
    left.destroy();
    await given;
    const stays = connect(here.path).on('error', () => undefined);
    const closed = new Promise((resolve) => stays.on('close', resolve));
    await asked.next();
    server.child.kill('SIGTERM');
    expect(await server.end()).toMatchObject({ status: 0, signal: null });
    await closed;
    expect(server.stderr).toContain('ending the sessions of all clients (clients=1)');
    expect(server.stderr).not.toContain('cannot serve');
  });
});

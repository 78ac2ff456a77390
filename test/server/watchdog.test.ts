/** What a service manager's watchdog cannot see: whether the process that speaks to the guest is alive. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NotifySocket } from '../../harness/notify-socket.js';
import { patience } from '../../harness/patience.js';
import { attached, ShareProcess, socketPathForTest } from '../../harness/share-process.js';
import { exportForTest } from '../../harness/tree.js';

const WATCHDOG_MS = 2_000 * patience;
const STATUS = { fid: 0, mask: 0x7ff };
const KILLED = `the 9P server has not answered for ${WATCHDOG_MS / 1000} s: it is killed`;

/** A share that is watched. */
async function watched(...options: readonly string[]): Promise<{ share: ShareProcess; path: string }> {
  const path = socketPathForTest();
  const notify = new NotifySocket(`${path}.notify`);
  const share = new ShareProcess([`--path=${exportForTest()}`, `--listen=unix:${path}`, ...options], {
    env: {
      ...process.env,
      NOTIFY_SOCKET: notify.address,
      WATCHDOG_USEC: String(WATCHDOG_MS * 1000),
      WATCHDOG_PID: undefined,
    },
  });
  await share.ready();
  await notify.has('WATCHDOG=1', 2 * WATCHDOG_MS);
  return { share, path };
}

describe('a share with a watchdog', () => {
  it('ends a server that stands still, with a reason', async () => {
    const { share, path } = await watched();
    await attached(path);
    process.kill(share.servers()[0]!, 'SIGSTOP');
    const { status, stderr } = await share.end();
    expect(status).toBe(1);
    expect(stderr).toContain(KILLED);
    expect(stderr).toContain('the 9P server ended (SIGKILL): ');
  });

  it('ends the session of that client, and of no other', async () => {
    const { share, path } = await watched('--keep-listening');
    const first = await attached(path);
    const [stopped] = share.servers();
    const second = await attached(path);
    process.kill(stopped!, 'SIGSTOP');
    await share.said(KILLED);
    await expect(first.request('Tgetattr', STATUS)).rejects.toThrow();
    expect(await second.request('Tgetattr', STATUS)).toBeDefined();
    expect(await (await attached(path)).request('Tgetattr', STATUS)).toBeDefined();
  });

  it('does not end one that waits for its helper', async () => {
    const { share, path } = await watched();
    const client = await attached(path);
    const [helper] = share.helpers();
    process.kill(helper!, 'SIGSTOP');
    const asked = client.request('Tgetattr', STATUS);
    await sleep(2.5 * WATCHDOG_MS);
    process.kill(helper!, 'SIGCONT');
    expect(await asked).toBeDefined();
    expect(share.stderr).not.toContain('killed');
  });
});

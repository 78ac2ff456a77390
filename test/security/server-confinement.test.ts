/** What the 9P server cannot do any more, on any of its threads, before a guest has said anything. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import {
  Installation,
  ordinaryUser,
  ordinaryUsers,
  ownedExportForTest,
  whyNoUserNamespaces,
} from '../../harness/ordinary-user.js';
import { exportForTest } from '../../harness/tree.js';
import { attached, ofThreads, ShareProcess, socketPathForTest } from '../../harness/share-process.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
const NONE = '0000000000000000';

async function serverForTest(
  ...options: string[]
): Promise<{ pid: number; share: ShareProcess; path: string }> {
  const path = socketPathForTest();
  const env = { ...process.env, SECRET: 'x' };
  const share = new ShareProcess([`--path=${exportForTest()}`, `--listen=unix:${path}`, ...options], { env });
  await share.ready();
  return { pid: share.servers()[0]!, share, path };
}

function expectNoRights(pid: number): void {
  const all = (field: string): string[] => [...new Set(ofThreads(pid, field))];
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
    expect([set, ...all(set)]).toEqual([set, NONE]);
  expect(all('NoNewPrivs')).toEqual(['1']);
  expect(all('Seccomp')).toEqual(['2']);
}

/** What a process has open, without what Node has for itself and /dev/null, which has no path where no mounts are seen. */
function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map((number) => readlinkSync(`/proc/${pid}/fd/${number}`))
    .filter((target) => !/^(anon_inode|pipe|socket):|^(\/dev)?\/null$/.test(target));
}

describe.skipIf(skipped !== undefined)(`the 9P server${suffix}`, () => {
  it('has no right, no group and no id of anybody, on every thread', async () => {
    const { pid } = await serverForTest();
    expect(ofThreads(pid, 'Pid').length).toBeGreaterThan(3);
    expectNoRights(pid);
    const four = ['65534', '65534', '65534', '65534'].join('\t');
    expect(new Set(ofThreads(pid, 'Uid'))).toEqual(new Set([four]));
    expect(new Set(ofThreads(pid, 'Gid'))).toEqual(new Set([four]));
    expect(new Set(ofThreads(pid, 'Groups'))).toEqual(new Set(['']));
  });

  it('is in an empty directory that cannot be changed, and sees no other mount', async () => {
    const { pid } = await serverForTest();
    expect(readdirSync(`/proc/${pid}/root`)).toEqual([]);
    expect(readdirSync(`/proc/${pid}/cwd`)).toEqual([]);
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trim().split('\n');
    expect(mounts).toHaveLength(1);
    expect(mounts[0]).toMatch(/ \/ \/ ro,nosuid,nodev,noexec\S* (.* )?- tmpfs /);
  });

  it('has no file, no directory and no environment of its caller', async () => {
    const { pid } = await serverForTest();
    expect(openFiles(pid)).toEqual([]);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('SECRET');
  });

  it('has no network but the socket of its client', async () => {
    const { pid } = await serverForTest();
    for (const name of ['net', 'ipc', 'mnt', 'uts'])
      expect(readlinkSync(`/proc/${pid}/ns/${name}`)).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
    expect(readFileSync(`/proc/${pid}/net/dev`, 'utf8').match(/^ *\w+:/gm)).toEqual(['    lo:']);
  });

  it('cannot be traced or dumped, nor by others with its id', async () => {
    const { pid } = await serverForTest();
    expect(statSync(`/proc/${pid}/environ`).uid).toBe(0);
    const asServer = ['--reuid=65534', '--regid=65534', '--clear-groups', 'ls', `/proc/${pid}/fd`];
    expect(spawnSync('setpriv', asServer).status).not.toBe(0);
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
    expect(/^Max core file size +(\d+) +(\d+)/m.exec(limits)?.slice(1)).toEqual(['1', '1']);
  });

  it('is the same while it serves, but for the files that the guest has open', async () => {
    const { pid, path } = await serverForTest();
    const client = await attached(path);
    await client.request('Twalk', { fid: 0, newfid: 1, names: [] });
    await client.request('Tlcreate', { fid: 1, name: Buffer.from('new'), flags: 0o102, mode: 0o640, gid: 0 });
    expectNoRights(pid);
    expect(openFiles(pid)).toHaveLength(1);
    await client.request('Tclunk', { fid: 1 });
    expect(openFiles(pid)).toEqual([]);
  });

  it('is whom --run-as names, with none of his groups', async () => {
    const { pid } = await serverForTest('--run-as=daemon');
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      spawnSync('id', [flag, 'daemon'], { encoding: 'utf8' }).stdout.trim(),
    );
    expect(new Set(ofThreads(pid, 'Uid'))).toEqual(new Set([Array(4).fill(uid).join('\t')]));
    expect(new Set(ofThreads(pid, 'Gid'))).toEqual(new Set([Array(4).fill(gid).join('\t')]));
    expect(new Set(ofThreads(pid, 'Groups'))).toEqual(new Set(['']));
    expectNoRights(pid);
  });

  it('has no rights either where nothing can be mounted', async () => {
    const path = socketPathForTest();
    const share = new ShareProcess([`--path=${exportForTest()}`, `--listen=unix:${path}`], {
      wrapper: ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-all'],
    });
    await share.ready();
    const [pid] = share.servers();
    expectNoRights(pid!);
    expect(readdirSync(`/proc/${pid}/root`)).toEqual([]);
    expect(readlinkSync(`/proc/${pid}/root`)).toContain('(deleted)');
    const client = await attached(path);
    client.close();
    const { stderr } = await share.end();
    expect(stderr).toContain('network=operation not permitted (EPERM)');
  });
});

const noNamespaces = skipped ?? whyNoUserNamespaces();
describe.skipIf(noNamespaces !== undefined)('the 9P server of an ordinary user', () => {
  it.each(Object.entries(ordinaryUsers))('%s has no rights', async (how, wrapper) => {
    const installation = new Installation();
    const { path: directory } = ownedExportForTest();
    const path = `${directory}/.s`;
    const share = new ShareProcess(
      [`--path=${directory}`, `--listen=unix:${path}`, '--security-model=none'],
      {
        wrapper,
        program: installation.program,
      },
    );
    await share.ready();
    installation.remove();
    const [pid] = share.servers();
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
      expect([set, ...new Set(ofThreads(pid!, set))]).toEqual([set, NONE]);
    expect(new Set(ofThreads(pid!, 'Seccomp'))).toEqual(new Set(['2']));
    expect(new Set(ofThreads(pid!, 'Uid').map((ids) => ids.split('\t')[0]))).toEqual(
      new Set([String(ordinaryUser.uid)]),
    );
    const client = await attached(path, ordinaryUser.uid);
    client.close();
    const { stderr } = await share.end();
    if (how === 'in a user namespace of its own') {
      expect(stderr).toMatch(/serving a client \(part=9p\)/);
    } else expect(stderr).toMatch(/serving a client \(part=9p, root=.+, network=.+\)/);
  });
});

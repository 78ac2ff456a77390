/**
 * An export path that leads through a directory which a guest can change: the links that it made there are not followed.
 *
 *   VIRTFS_RACE_STARTS  how many starts the race has (12)
 */
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Exit, helperForTest, type Session, sessionForTest } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient, WireError } from '../../harness/wire-client.js';
import { programForTest } from './child-program.js';
import { countFrom, skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot('exports through links');
const starts = countFrom('VIRTFS_RACE_STARTS', 12);
const root = { uid: 0, gid: 0 };
const REGISTRY = '/run/virtfs-proxy-helper-exports';

/** A directory of the host that is nobody's business. */
function secretDirectory(): string {
  const secret = exportForTest();
  writeFileSync(join(secret, 'secret'), 'of the host');
  mkdirSync(join(secret, 'inner'));
  return secret;
}

/** A helper whose guest has made a link to a directory of the host, with its root's id. */
function guestWithLink(target: string, ...args: string[]): Session & { shared: string } {
  const shared = exportForTest();
  mkdirSync(join(shared, 'directory'));
  if (args.includes('--readonly')) symlinkSync(target, join(shared, 'link'));
  const session = sessionForTest(shared, { args });
  if (args.includes('--readonly')) expect(session.client.request(requests.lstat('/')).errno).toBe(0);
  else expect(session.client.request(requests.symlink(root, target, '/link')).errno).toBe(0);
  return { ...session, shared };
}

/** What a start says that must not succeed. */
async function refusal(path: string, ...args: string[]): Promise<Exit> {
  const { client, peer } = WireClient.pair();
  const helper = helperForTest(['-n', '-f', '3', '-p', path, ...args], { inherit: [peer] });
  const exit = await helper.exit();
  client.close();
  return exit;
}

/** Whether a start shows the secret directory; undefined when there was none. */
function showsSecret(path: string, ...args: string[]): boolean | undefined {
  const { client } = sessionForTest(path, { args });
  try {
    if (client.request(requests.lstat('/')).errno !== 0) return undefined;
    return client.request(requests.lstat('/secret')).errno === 0;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  } finally {
    client.close();
  }
}

describe.skipIf(skip)('a link that the guest of a running helper made', () => {
  it.each(['link', 'link/inner', 'directory/../link'])('is not followed to an export: %s', async (name) => {
    const secret = secretDirectory();
    const { shared } = guestWithLink(secret);
    const { status, stderr } = await refusal(`${shared}/${name}`);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(`symbolic link link in ${shared}, which another helper serves`),
    ]);
  });

  it('is not followed either where a listener serves the directory, with no client now', async () => {
    const shared = exportForTest();
    const path = join(exportForTest(), 'socket');
    const listener = helperForTest(['-n', '-p', shared, '-s', path, '--keep-listening']);
    for (let client; client === undefined;) {
      try {
        client = WireClient.connect(path);
      } catch {
        expect(listener.child.exitCode, listener.stderr()).toBe(null);
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      expect(client.request(requests.symlink(root, secretDirectory(), '/link')).errno).toBe(0);
      client.close();
    }
    expect((await refusal(join(shared, 'link'))).stderr).toContain('which another helper serves');
  });

  it('does not keep a directory there, reached without a link, from being exported', () => {
    const { shared } = guestWithLink(secretDirectory());
    const operators = join(exportForTest(), 'link');
    symlinkSync(shared, operators);
    for (const path of [shared, join(shared, 'directory'), join(operators, 'directory')])
      expect(showsSecret(path), path).toBe(false);
  });

  it('is none of what a helper that was taken over claims to serve', () => {
    const { helper } = guestWithLink(secretDirectory());
    const place = exportForTest();
    symlinkSync(exportForTest(), join(place, 'link'));
    const { ino, dev } = statSync(place, { bigint: true });
    const [major, minor] = [(dev >> 8n) & 0xfffn, dev & 0xffn];
    const held = `/proc/${helper.pid}/fd`;
    const inodes = readdirSync(held).map((fd) => statSync(join(held, fd)).ino);
    const files = readdirSync(REGISTRY).filter((name) => inodes.includes(statSync(join(REGISTRY, name)).ino));
    expect(files).toHaveLength(1);
    // as one could that was started without CAP_SYS_ADMIN, and opens it anew
    for (const file of files) writeFileSync(join(REGISTRY, file), `${ino}:0:${major}:${minor} ${place}`);
    expect(showsSecret(join(place, 'link'))).toBe(false);
  });

  it('is the host’s where the guest may change nothing, or has gone', async () => {
    const secret = secretDirectory();
    expect(showsSecret(join(guestWithLink(secret, '--readonly').shared, 'link'))).toBe(true);
    const { shared, helper } = guestWithLink(secret);
    await helper.stop();
    expect(showsSecret(join(shared, 'link'))).toBe(true);
  });
});

describe.skipIf(skip)('--path-base', () => {
  it('follows no link below the directory, whoever serves it', async () => {
    const base = exportForTest();
    mkdirSync(join(base, 'directory'));
    symlinkSync(secretDirectory(), join(base, 'link'));
    symlinkSync('directory', join(base, 'inside'));
    for (const name of ['link', 'link/inner', 'inside']) {
      const { status, stderr } = await refusal(join(base, name), '--path-base', base);
      expect([status, stderr]).toEqual([
        1,
        expect.stringContaining(`a symbolic link below ${base} leads there, which --path-base forbids`),
      ]);
    }
    expect(showsSecret(join(base, 'directory'), '--path-base', base)).toBe(false);
  });

  it('may be reached by links, and be the export itself', () => {
    const secret = secretDirectory();
    const link = join(exportForTest(), 'link');
    symlinkSync(secret, link);
    expect(showsSecret(link, '--path-base', link)).toBe(true);
    expect(showsSecret(join(link, 'inner'), '--path-base', link)).toBe(false);
  });

  it('must have the export in it', async () => {
    const { status, stderr } = await refusal('/srv/elsewhere', '--path-base', '/srv/machines');
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('--path-base /srv/machines: --path must be in it'),
    ]);
  });

  it('is never wrong, though a directory and a link take turns at the path', async () => {
    const base = exportForTest();
    const path = join(base, 'turns');
    await programForTest('swap-way', { path, target: secretDirectory() });
    const seen = Array.from({ length: starts }, () => showsSecret(path, '--path-base', base));
    expect(seen).not.toContain(true);
    console.log(
      `directory and link in turns: ${seen.filter((one) => one === false).length} of ${starts} served`,
    );
  }, 120_000);
});

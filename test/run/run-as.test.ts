/** The command as an ordinary user beside helpers of root. */
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { startRun } from '../../harness/run-process.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of run --run-as skipped: ${skipped}`);

const UID = 61_000;
const GID = 61_001;
const KVM = 61_002;

/** Words that put a user of our own into the databases, seen by nobody else: a mount namespace. */
function withUser(): readonly string[] {
  const directory = exportForTest();
  const passwd = join(directory, 'passwd');
  const group = join(directory, 'group');
  writeFileSync(passwd, `root:x:0:0::/root:/bin/sh\nemulator:x:${UID}:${GID}::/var/lib/emulator:/bin/bash\n`);
  writeFileSync(group, `root:x:0:\nemulator:x:${GID}:\nkvm:x:${KVM}:emulator\n`);
  for (const file of [passwd, group]) chmodSync(file, 0o644);
  const script = `mount --bind ${passwd} /etc/passwd && mount --bind ${group} /etc/group && exec "$@"`;
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
}

const four = (id: number): string[] => Array.from({ length: 4 }, () => String(id));

describe.skipIf(skipped !== undefined)('run --run-as', () => {
  it.each(['emulator', String(UID)])(
    '%s starts the command with the ids, groups and names of the user',
    async (user) => {
      const directory = exportForTest();
      chmodSync(directory, 0o700);
      const run = startRun(['--log-level=warn', '--run-as', user, '--path', directory], ['{fd}'], {
        wrapper: withUser(),
      });
      expect(await run.described()).toMatchObject({
        uid: four(UID),
        gid: four(GID),
        groups: [String(GID), String(KVM)],
        capabilities: '0'.repeat(16),
        descriptors: [0, 1, 2, 3],
        environment: { USER: 'emulator', LOGNAME: 'emulator', HOME: '/var/lib/emulator' },
      });
      // the helper is still root: it makes what the user could not even reach
      expect(await run.request(3, requests.mkdir({ uid: 0, gid: 0 }, '/of-root', 0o700))).toBe(0);
      expect(statSync(join(directory, 'of-root'))).toMatchObject({ uid: 0, gid: 0 });
      run.say('exit 6');
      expect((await run.end()).status).toBe(6);
      expect(run.stderr).toBe('');
    },
  );

  it('leaves nothing of root in the process that waits for the command', async () => {
    const run = startRun(['--run-as', 'emulator', '--path', exportForTest()], ['{fd}'], {
      wrapper: withUser(),
    });
    await run.described();
    for (const task of readdirSync(`/proc/${run.pid}/task`)) {
      const status = readFileSync(`/proc/${run.pid}/task/${task}/status`, 'utf8');
      expect(/^Uid:\t(.*)$/m.exec(status)?.[1]).toBe(four(UID).join('\t'));
      expect(/^Cap(?:Prm|Eff):\t(.*)$/m.exec(status)?.[1]).toBe('0'.repeat(16));
    }
    // and it still passes signals on, and ends its helpers
    process.kill(run.pid, 'SIGTERM');
    expect(await run.line()).toBe('signal 15');
    run.say('exit 0');
    expect((await run.end()).status).toBe(0);
  });

  describe('gives the command an environment like that of su --login', () => {
    const secrets = {
      PATH: '/root/bin:/usr/bin:/bin',
      TERM: 'vt100',
      API_TOKEN: 'secret',
      SSH_AUTH_SOCK: '/root/agent',
    };
    const ofUser = { USER: 'emulator', LOGNAME: 'emulator', HOME: '/var/lib/emulator', SHELL: '/bin/bash' };
    const loginPath = /^ENV_PATH\s+(?:PATH=)?(\S+)/m.exec(readFileSync('/etc/login.defs', 'utf8'))?.[1];

    async function environment(options: readonly string[]): Promise<unknown> {
      const run = startRun(['--run-as', 'emulator', ...options, '--path', exportForTest()], ['{fd}'], {
        wrapper: withUser(),
        env: secrets,
      });
      const { environment } = await run.described();
      run.say('exit 0');
      expect((await run.end()).status).toBe(0);
      return environment;
    }

    it('which has nothing of the caller’s but the terminal', async () => {
      expect(await environment([])).toEqual({ ...ofUser, TERM: 'vt100', PATH: loginPath });
    });

    it('and what --keep-env names', async () => {
      expect(
        await environment(['--keep-env', 'SSH_AUTH_SOCK', '--keep-env=PATH', '--keep-env=NOT_THERE']),
      ).toEqual({ ...ofUser, TERM: 'vt100', PATH: secrets.PATH, SSH_AUTH_SOCK: '/root/agent' });
    });

    it('and shows the user none of the caller’s in the process that waits, or its memory', async () => {
      const run = startRun(['--run-as', 'emulator', '--path', exportForTest()], ['{fd}'], {
        wrapper: withUser(),
        env: secrets,
      });
      await run.described();
      const read = (file: string): string =>
        spawnSync(
          'setpriv',
          [`--reuid=${UID}`, `--regid=${GID}`, '--clear-groups', 'cat', `/proc/${run.pid}/${file}`],
          {
            encoding: 'utf8',
          },
        ).stderr;
      for (const file of ['environ', 'mem']) expect(read(file)).toContain('Permission denied');
    });
  });

  it('leaves the command all of the environment when it names no user', async () => {
    const run = startRun(['--path', exportForTest()], ['{fd}'], { env: { ...process.env, KEPT: 'yes' } });
    expect((await run.described()).environment).toMatchObject({ KEPT: 'yes' });
  });

  it('refuses a user who is not there, before anything is started', async () => {
    const run = startRun(['--run-as', 'nosuchuser', '--path', exportForTest()], ['{fd}']);
    expect((await run.end()).status).toBe(2);
    expect(run.stderr).toBe(
      'virtfs-proxy-helper: --run-as nosuchuser: there is no such user (see virtfs-proxy-helper run --help) [unknown-account]\n',
    );
  });
});

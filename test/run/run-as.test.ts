/** The command as an ordinary user beside helpers of root. */
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../support/helper-process.js';
import { requests } from '../support/requests.js';
import { exportForTest } from '../support/tree.js';
import { startRun } from './run-process.js';

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
  writeFileSync(passwd, `root:x:0:0::/root:/bin/sh\nemulator:x:${UID}:${GID}::/var/lib/emulator:/bin/sh\n`);
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

  it('refuses a user who is not there, before anything is started', async () => {
    const run = startRun(['--run-as', 'nosuchuser', '--path', exportForTest()], ['{fd}']);
    expect((await run.end()).status).toBe(2);
    expect(run.stderr).toBe(
      'virtfs-proxy-helper: --run-as nosuchuser: there is no such user (see virtfs-proxy-helper run --help)\n',
    );
  });
});

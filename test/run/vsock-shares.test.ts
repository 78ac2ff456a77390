/** examples/vsock-shares.mjs with a stand-in for Firecracker, which connects to the sockets as Firecracker does for its guest. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of shares over an emulator's vsock skipped: ${skipped}`);
const example = fileURLToPath(new URL('../../examples/vsock-shares.mjs', import.meta.url));
const TIMEOUT = 60_000 * patience;

/** As its user: Tversion over each socket, then Tattach, Twalk, Tlopen, Tread of a file. It prints what it reads. */
const emulator = `
import os, socket, struct, sys
os.setgid(65534); os.setuid(65534)
s = lambda text: struct.pack('<H', len(text)) + text
def read(path):
    guest = socket.socket(socket.AF_UNIX)
    guest.connect(path)
    def ask(kind, tag, body):
        guest.sendall(struct.pack('<IBH', 7 + len(body), kind, tag) + body)
        size, answer, _ = struct.unpack('<IBH', guest.recv(7, socket.MSG_WAITALL))
        rest = guest.recv(size - 7, socket.MSG_WAITALL)
        assert answer == kind + 1, (kind, answer, rest)
        return rest
    ask(100, 0xffff, struct.pack('<I', 8192) + s(b'9P2000.L'))
    ask(104, 0, struct.pack('<II', 0, 0xffffffff) + s(b'') + s(b'') + struct.pack('<I', 0))
    ask(110, 0, struct.pack('<IIH', 0, 1, 1) + s(b'file'))
    ask(12, 0, struct.pack('<II', 1, 0))
    return ask(116, 0, struct.pack('<IQI', 1, 0, 100))[4:].decode()
print(*(read(sys.argv[1] + '_' + port) for port in sys.argv[2:]))
sys.exit(7)`;

describe.skipIf(skipped !== undefined)('the example for an emulator with vsock', () => {
  it(
    'shares each directory on a port of its own, again for the next connection, and ends with it',
    async () => {
      const place = exportForTest();
      const directories = ['first', 'second'].map((name) => join(place, name));
      for (const directory of directories) {
        mkdirSync(directory);
        writeFileSync(join(directory, 'file'), directory);
      }
      const socket = join(place, 'vsock');
      const words = ['python3', '-c', emulator, socket, '564', '565', '564'];
      const environment = { ...process.env, EMULATOR_UID: '65534' };
      const argv = [example, socket, ...directories, '--', ...words];
      const run = promisify(execFile)(process.execPath, argv, { env: environment, timeout: TIMEOUT });
      const { code, stdout, stderr } = await run.then(
        (output) => ({ code: 0, ...output }),
        (error: unknown) => error as { code: number; stdout: string; stderr: string },
      );
      const [first, second] = directories;
      expect([code, stdout, stderr]).toEqual([7, `${first} ${second} ${first}\n`, '']);
      expect(readdirSync(place).sort()).toEqual(['first', 'second']);
    },
    2 * TIMEOUT,
  );

  it(
    'does not start the emulator where a directory cannot be shared, and leaves no socket',
    () => {
      const place = exportForTest();
      const argv = [
        example,
        join(place, 'vsock'),
        place,
        '/nonexistent',
        '--',
        'touch',
        join(place, 'started'),
      ];
      const { status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', timeout: TIMEOUT });
      expect(stderr).toContain('cannot export /nonexistent: no such file or directory (ENOENT)');
      expect([status, existsSync(join(place, 'started'))]).toEqual([1, false]);
      expect(readdirSync(place)).toEqual([]);
    },
    2 * TIMEOUT,
  );
});

/** Which machines may connect over vsock, in a guest that is a machine of its own: CID 1. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helperNode, helperUnderTest } from '../../harness/guest/helper.js';
import { patience } from '../../harness/patience.js';
import { UmlGuest, whyNoUml } from '../../harness/uml-guest.js';
import { whyNoShare } from './share-under-test.js';
import { ASK_VERSION } from './sockets.js';

const skip = whyNoUml() ?? whyNoShare();
if (skip !== undefined) console.warn(`the peers of vsock skipped: ${skip}`);

/** Becomes a program that has a socket as descriptor 4: listening at port 564, or connected by a client that is gone. */
const passing = `
import os, socket, sys
passed = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
passed.bind((socket.VMADDR_CID_ANY, 564))
passed.listen()
if sys.argv[1] == 'connected':
    client = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    client.connect((1, 564))
    passed, _ = passed.accept()
os.dup2(passed.fileno(), 4)
os.execv(sys.argv[2], sys.argv[2:])
`;

/** Sends a Tversion and tells the type of the answer, or that there is none. */
const asking = `
import socket, sys
${ASK_VERSION}
client = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
try:
    client.connect((1, int(sys.argv[1])))
except ConnectionResetError:
    # it was accepted and closed before connect returned
    print('refused')
else:
    ask(client)
`;

const share = `${helperNode} ${helperUnderTest} share --path /mnt/disk/export`;
/** Starts what is given, and waits until it is ready. */
const started = (command: string): string => `
: >/tmp/ready # it may hold what another one said, until the shell has opened it anew
${command} --ready-fd 5 5>/tmp/ready 2>/tmp/log </dev/null &
until grep -q . /tmp/ready; do kill -0 $!; sleep 0.1; done
grep -x ready /tmp/ready`;

describe.skipIf(skip !== undefined)('share over vsock', { timeout: 120_000 * patience }, () => {
  let guest: UmlGuest;
  beforeAll(async () => {
    guest = await UmlGuest.boot();
    await guest.load('vsock_loopback');
    await guest.run(`
mkdir /mnt/disk/export
cat >/tmp/passing.py <<'END'${passing}END
cat >/tmp/asking.py <<'END'${asking}END`);
  }, 120_000 * patience);
  afterAll(() => guest.destroy());

  it('serves a machine of --allow-cid, on a socket that it was passed', async () => {
    const command = `python3 -S /tmp/passing.py listening ${share} --listen fd:4`;
    const printed = await guest.run(`${started(`${command} --allow-cid 3 --allow-cid 1`)}
python3 -S /tmp/asking.py 564
wait $!; echo "status $?"; cat /tmp/log`);
    expect(printed).toMatch(/^ready\n101\nstatus 0\n/);
    expect(printed).not.toContain('every virtual machine');
  });

  it('sends others away, with a line of the log', async () => {
    const printed = await guest.run(`${started(`${share} --listen vsock:565 --allow-cid 3`)}
python3 -S /tmp/asking.py 565
kill $!; wait $!; echo "status $?"; cat /tmp/log`);
    expect(printed).toMatch(/^ready\nrefused\nstatus 0\n/);
    expect(printed).toMatch(/refused a client that may not connect \(.*cid=1\)/);
  });

  it("serves on systemd's socket, with which a client starts it", async () => {
    // of systemd, which no systemd has to run for; it listens when its program's own start is still far
    const printed = await guest.run(`
systemd-socket-activate --listen=vsock::566 ${share} --allow-cid 1 2>/tmp/log </dev/null &
until grep -q 'Listening on' /tmp/log; do kill -0 $!; sleep 0.1; done
python3 -S /tmp/asking.py 566
wait $!; echo "status $?"`);
    expect(printed).toBe('101\nstatus 0');
  });

  it('looks at who is connected to a socket that it was passed', async () => {
    const command = `python3 -S /tmp/passing.py connected ${share} --listen fd:4`;
    const refused = await guest.attempt(`${command} --allow-cid 3`);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      'virtfs-proxy-helper: --listen fd:4: the machine with CID 1 may not connect; see --allow-cid [client-not-allowed]\n',
    ]);
    expect((await guest.attempt(`${command} --allow-cid 1`)).status).toBe(0);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Machine } from '../../harness/guest/qemu.js';
import type { ShareOptions } from '../../harness/guest/share.js';

export interface GuestShare extends ShareOptions {
  /** How the guest mounts it, on /mnt/TAG, before the checks; not at all when left out. */
  readonly mount?: string;
}

/** The usual way to mount. */
export const plainMount = 'version=9p2000.L,access=client,msize=524288';

const skipReason = process.getuid?.() === 0 ? undefined : 'only root can start the helper as QEMU needs it';

/**
 * A group of checks in one virtual machine. The last check is always the same: no helper has gained a descriptor,
 * every helper ends of itself when the machine is turned off, and none has logged an error.
 */
export function describeInGuest(
  title: string,
  shares: readonly GuestShare[],
  checks: (machine: () => Machine) => void,
): void {
  if (skipReason !== undefined) console.warn(`skipped: ${title}: ${skipReason}`);
  describe.skipIf(skipReason !== undefined)(title, () => {
    let booted: Machine | undefined;
    const descriptorsBefore = new Map<string, string[]>();
    const machine = (): Machine => {
      if (booted === undefined) throw new Error('the machine has not booted');
      return booted;
    };

    beforeAll(async () => {
      booted = await Machine.boot(...shares);
      for (const { tag, mount } of shares) {
        if (mount !== undefined) await booted.mount(tag, mount);
        descriptorsBefore.set(tag, booted.share(tag).helper.openDescriptors());
      }
    }, 120_000);

    afterAll(() => booted?.destroy(), 60_000);

    checks(machine);

    it('leaves no descriptor open in a helper, no error in its log, and exit status 0', async () => {
      await machine().run('cd /; awk \'$3 == "9p" { print $2 }\' /proc/mounts | xargs -r -n 1 umount');
      for (const { tag } of shares) {
        const now = machine().share(tag).helper.openDescriptors();
        expect(now, `descriptors of the helper of ${tag}`).toHaveLength(descriptorsBefore.get(tag)!.length);
      }
      const end = await machine().powerOff();
      expect(end).toEqual({
        qemu: 0,
        helpers: shares.map(({ tag }) => ({ tag, end: 0, errors: [] })),
      });
    }, 60_000);
  });
}

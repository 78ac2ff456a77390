/** docs/known-faults.md: each step once through QEMU's proxy driver and once over `share`, in one guest. */
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { tableRows } from '../../harness/documented.js';
import { Machine } from '../../harness/guest/qemu.js';
import { patience } from '../../harness/patience.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { knownFaults, limitsOfTheClient, OPEN_FILES, type Step } from './known-faults.js';

const MINUTE = 60_000 * patience;
const mapped = ['--security-model=mapped-xattr'];

const titles = (section: string, heading: string): (string | undefined)[] =>
  tableRows('docs/known-faults.md', section, heading).map(([title]) => title);

describe('the page on known faults', () => {
  it('has exactly those that are shown here', () => {
    expect(titles("QEMU's driver", 'fault')).toEqual(knownFaults.map(({ title }) => title));
    expect(titles('The guest', 'limit')).toEqual(limitsOfTheClient.map(({ title }) => title));
  });
});

describe.skipIf(skipUnlessRoot("known faults of QEMU's driver"))('in a guest', () => {
  let booted: Machine | undefined;
  beforeAll(async () => {
    const machine = await Machine.bootWith({ openFiles: OPEN_FILES }, [
      { tag: 'usr', by: 'guestfwd', directory: '/usr', helperOptions: ['--readonly'] },
      { tag: 'driver' },
      // so few that the pair gives descriptors back, too
      { tag: 'pair', by: 'guestfwd', helperOptions: ['--max-open=16'] },
      { tag: 'driver-mapped', helperOptions: mapped },
      { tag: 'pair-mapped', by: 'guestfwd', helperOptions: mapped },
    ]);
    booted = machine;
    await machine.run(`${machine.mountCommand('usr', 'version=9p2000.L,ro,cache=loose')} /usr`);
  }, 4 * MINUTE);
  afterAll(() => booted?.destroy(), MINUTE);

  /** The host's part of a step. */
  async function answer({ hostMakes }: Step, directory: string): Promise<void> {
    if (hostMakes === undefined) return;
    await vi.waitUntil(() => existsSync(path.join(directory, 'asked')), { timeout: MINUTE });
    writeFileSync(path.join(directory, hostMakes), '');
  }

  let number = 0;
  async function printed(way: 'driver' | 'pair', step: Step): Promise<string> {
    const machine = booted!;
    const tag = step.model === undefined ? way : `${way}-mapped`;
    const name = `step${number++}`;
    const { version = '9p2000.L', cache = 'none' } = step;
    await machine.mount(tag, `version=${version},access=user,cache=${cache}`);
    const script = `cd /mnt/${tag}; mkdir ${name}; cd ${name}\n${step.script}`;
    const answers = answer(step, path.join(machine.share(tag).directory, name));
    const [output] = await Promise.all([machine.run(script, { timeout: 2 * MINUTE }), answers]);
    await machine.unmount(tag);
    return output;
  }

  it.each(knownFaults)(
    '$title: only through the driver',
    async (fault) => {
      const seen = await printed('driver', fault);
      if (fault.driver === undefined) expect(seen).not.toBe(fault.pair);
      else expect(seen).toBe(fault.driver);
      expect(await printed('pair', fault)).toBe(fault.pair);
    },
    5 * MINUTE,
  );

  it.each(limitsOfTheClient)(
    '$title: either way',
    async (limit) => {
      expect(await printed('driver', limit)).toBe(limit.both);
      expect(await printed('pair', limit)).toBe(limit.both);
    },
    5 * MINUTE,
  );
});

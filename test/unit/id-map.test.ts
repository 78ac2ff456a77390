import { describe, expect, it } from 'vitest';
import { configure } from '../../src/helper/cli/configuration.js';
import { parseOptions } from '../../src/helper/cli/options.js';
import { ExitStatus } from '../../src/startup/exit-status.js';
import { StartError } from '../../src/startup/start-errors.js';
import { IdMap, UNMAPPED } from '../../src/helper/security-models/id-map.js';

const configuration = (...options: string[]): ReturnType<typeof configure> =>
  configure(parseOptions(['--path', '/', '--fd', '3', ...options]));

/** The map that options of a command line make for users. */
function users(...options: string[]): IdMap {
  const { ids } = configuration(...options);
  if (ids === undefined) throw new Error('no map');
  return new IdMap(ids.uids);
}

function refusal(...options: string[]): string {
  try {
    configuration(...options);
  } catch (error) {
    if (error instanceof StartError && error.status === ExitStatus.USAGE) return error.message;
    throw error;
  }
  throw new Error(`${options.join(' ')} was accepted`);
}

const LAST_ID = 0xffff_fffe;
const NO_ID = 0xffff_ffff;

describe('a map of ids', () => {
  it('takes each id of a range there and back, and none next to it', () => {
    const map = users('--map-uid', '0:100000:1000', '--map-uid=1000:1000:1', '--map-uid=2000:5:2');
    const pairs = [
      [0, 100_000],
      [999, 100_999],
      [1000, 1000],
      [2000, 5],
      [2001, 6],
    ] as const;
    for (const [guest, host] of pairs) {
      expect(map.toHost(guest)).toBe(host);
      expect(map.toGuest(host)).toBe(guest);
    }
    for (const guest of [1001, 1999, 2002, 65_534, LAST_ID, NO_ID]) expect(map.toHost(guest)).toBe(UNMAPPED);
    for (const host of [0, 4, 7, 999, 1001, 99_999, 101_000, LAST_ID, NO_ID])
      expect(map.toGuest(host)).toBe(UNMAPPED);
  });

  it('reaches to the last id there is', () => {
    const map = users('--map-uid', '4294967294:0:1', '--map-uid', '0:4294967294:1');
    expect(map.toHost(LAST_ID)).toBe(0);
    expect(map.toGuest(LAST_ID)).toBe(0);
    expect(map.toHost(NO_ID)).toBe(UNMAPPED);
  });

  it('squashes what no range holds, and shows the id that it is squashed to as itself', () => {
    const map = users('--squash-uid', '1000', '--map-uid', '500:600:1');
    for (const guest of [0, 1, 1000, 600, LAST_ID]) expect(map.toHost(guest)).toBe(1000);
    expect(map.toHost(500)).toBe(600);
    expect(map.toGuest(1000)).toBe(1000);
    expect(map.toGuest(600)).toBe(500);
    for (const host of [0, 500, 65_534]) expect(map.toGuest(host)).toBe(UNMAPPED);
  });

  it('never shows the id that it squashes to as one that leads elsewhere', () => {
    const map = users('--squash-uid', '1000', '--map-uid', '0:100000:65536');
    expect(map.toHost(70_000)).toBe(1000);
    // the guest's 1000 is 101000 on the host
    expect(map.toGuest(1000)).toBe(UNMAPPED);
    // the guest sees a squashed id that is in a range as the id of that range
    expect(users('--squash-uid', '100000', '--map-uid', '0:100000:10').toGuest(100_000)).toBe(0);
  });

  it('has no forbidden id, on either side, whatever else is said of it', () => {
    const map = users(
      '--forbid-uid',
      '0:1',
      '--forbid-uid',
      '10:5',
      '--map-uid',
      '0:100:20',
      '--squash-uid',
      '7',
    );
    for (const guest of [0, 10, 14]) expect(map.toHost(guest)).toBe(UNMAPPED);
    for (const host of [100, 110, 114]) expect(map.toGuest(host)).toBe(UNMAPPED);
    expect([map.toHost(1), map.toHost(9), map.toHost(15), map.toHost(20)]).toEqual([101, 109, 115, 7]);
  });

  it('leaves all other ids as they are when some are only forbidden', () => {
    const map = users('--forbid-uid', '0:1');
    expect([map.toHost(0), map.toGuest(0)]).toEqual([UNMAPPED, UNMAPPED]);
    for (const id of [1, 65_534, LAST_ID]) expect([map.toHost(id), map.toGuest(id)]).toEqual([id, id]);
  });

  it('is not there without options, and changes no groups when only users are mapped', () => {
    expect(configuration().ids).toBeUndefined();
    const groups = new IdMap(configuration('--map-uid', '0:100000:65536').ids!.gids);
    expect([groups.toHost(0), groups.toGuest(LAST_ID)]).toEqual([0, LAST_ID]);
  });

  it.each([
    [['--map-uid', '0:100000'], '--map-uid 0:100000: must be GUEST:HOST:COUNT, in numbers'],
    [['--map-gid', 'root:0:1'], '--map-gid root:0:1: must be GUEST:HOST:COUNT, in numbers'],
    [['--map-uid', '-1:0:1'], '--map-uid -1:0:1: must be GUEST:HOST:COUNT, in numbers'],
    [['--map-uid', '0:0:0'], '--map-uid 0:0:0: ids are 0 to 4294967294, and COUNT is at least 1'],
    [['--map-uid', '0:4294967295:1'], 'ids are 0 to 4294967294'],
    [['--forbid-gid', '4294967290:6'], 'ids are 0 to 4294967294'],
    [['--squash-uid', '4294967295'], 'ids are 0 to 4294967294'],
    [['--squash-gid', 'nogroup'], '--squash-gid nogroup: must be ID, in numbers'],
    [['--forbid-uid', '5'], '--forbid-uid 5: must be FIRST:COUNT, in numbers'],
    [['--map-uid', '5:0:5', '--map-uid', '0:9:6'], '--map-uid 0:9:6 and 5:0:5: the ids of the guest overlap'],
    [['--map-gid', '0:5:5', '--map-gid', '9:0:6'], '--map-gid 9:0:6 and 0:5:5: the ids of the host overlap'],
  ])('is refused in one line: %j', (options, message) => {
    expect(refusal(...options)).toContain(message);
    expect(refusal(...options)).not.toContain('\n');
  });
});

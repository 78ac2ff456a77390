import * as errno from '../../abi/errno.js';
import { type Mapping, mapShared } from '../../syscalls/shared-memory.js';
import type { Pieces } from './pieces.js';
import { MAX_REGIONS, type RegionDescription } from './protocol.js';

interface Region extends RegionDescription {
  readonly mapping: Mapping;
}

const overlap = (one: number, other: number, { size: length }: RegionDescription, size: number): boolean =>
  one < other + size && other < one + length;

/** The memory of the guest, as far as the front end shares it. */
export class GuestMemory {
  #regions: Region[] = [];

  /** Maps one more region. @returns 0, or -errno */
  add(region: RegionDescription, descriptor: number): number {
    const { guest, user, size, offset } = region;
    const isSane = [guest + size, user + size, offset + size].every(Number.isSafeInteger) && size > 0;
    if (!isSane || this.#regions.length >= MAX_REGIONS) return -errno.EINVAL;
    if (this.#regions.some((other) => overlap(guest, other.guest, region, other.size))) return -errno.EEXIST;
    if (this.#regions.some((other) => overlap(user, other.user, region, other.size))) return -errno.EEXIST;
    const mapping = mapShared(descriptor, offset, size);
    if (typeof mapping === 'number') return mapping;
    this.#regions.push({ ...region, mapping });
    return 0;
  }

  /** Nobody may use the region any more. @returns 0, or -errno */
  remove({ guest, user, size }: RegionDescription): number {
    const at = this.#regions.findIndex(
      (region) => region.guest === guest && region.user === user && region.size === size,
    );
    const [region] = at < 0 ? [] : this.#regions.splice(at, 1);
    region?.mapping.unmap();
    return region === undefined ? -errno.EINVAL : 0;
  }

  /** Nobody may use any of it any more. */
  clear(): void {
    for (const { mapping } of this.#regions.splice(0)) mapping.unmap();
  }

  /** Where so many bytes are that the front end has at this address; undefined where there are not. */
  ofFrontEnd(user: number, size: number): number | undefined {
    const region = this.#regions.find((each) => user >= each.user && user + size <= each.user + each.size);
    return region === undefined ? undefined : region.mapping.address + (user - region.user);
  }

  /** Appends what the guest has at this address, which neighbouring regions may have in parts. @returns whether it is all there */
  translate(guest: number, size: number, into: Pieces): boolean {
    while (size > 0) {
      const region = this.#regionAt(guest);
      if (region === undefined) return false;
      const start = guest - region.guest;
      const part = Math.min(size, region.size - start);
      into.add(region.mapping.address + start, part);
      guest += part;
      size -= part;
    }
    return true;
  }

  #regionAt(guest: number): Region | undefined {
    for (const region of this.#regions)
      if (guest >= region.guest && guest < region.guest + region.size) return region;
    return undefined;
  }
}

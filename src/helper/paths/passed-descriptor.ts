/** What a request about a descriptor is about. */
export class PassedDescriptor {
  /** What came with the request that is carried out: a descriptor, or -errno: why it is not used; undefined: nothing. */
  descriptor: number | undefined;
}

/** The security models of 9p as QEMU names them; `mapped` is an old name of mapped-xattr. */
export const modelNames = ['passthrough', 'none', 'mapped-xattr', 'mapped', 'mapped-file'] as const;

export type ModelName = (typeof modelNames)[number];

/** Whether owners, modes and special files of the guest are attributes here. In the other models they are the host's. */
export function isMapped(name: ModelName): boolean {
  return name !== 'passthrough' && name !== 'none';
}

/** What to do with inodes of another device than the export's: the names are QEMU's. */
export const multidevsModes = ['remap', 'forbid', 'warn'] as const;

export type Multidevs = (typeof multidevsModes)[number];

/** Which security model to use, and how. */
export interface ModelSettings {
  readonly name: Exclude<ModelName, 'mapped'>;
  /** Modes on the host of what a mapped model makes. */
  readonly fileMode: number;
  readonly directoryMode: number;
  /** Whether the guest has extended attributes. */
  readonly xattrs: boolean;
  readonly multidevs: Multidevs;
  /** Whether the guest may read where the host's own symbolic links lead in a mapped model. */
  readonly hostSymlinks: boolean;
  /** Whether the guest may give capabilities to files of the host. */
  readonly fileCapabilities: boolean;
}

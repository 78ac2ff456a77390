import { GuestCredentials } from '../credentials/guest-credentials.js';
import { OptionalCredentials } from '../credentials/optional-credentials.js';
import { CheckedPathResolver } from '../paths/checked-path-resolver.js';
import { NameResolver } from '../paths/name-resolver.js';
import { OwnDescriptors } from '../paths/own-descriptors.js';
import { PathResolver } from '../paths/path-resolver.js';
import { DescriptorOpener } from './descriptor-opener.js';
import { GenerationReader } from './generation-reader.js';
import { IdMap, type IdMappings } from './id-map.js';
import { mappedFile } from './mapped-file.js';
import { Inode } from './inode.js';
import { type IdRefusal, MappedIds } from './mapped-ids.js';
import { mappedXattr } from './mapped-xattr.js';
import { metadataNames } from './metadata-directory.js';
import type { ModelSettings } from './model-names.js';
import { None } from './none.js';
import { Passthrough } from './passthrough.js';
import type { SecurityModel } from './security-model.js';

/** What every model works on and with. */
export interface ModelSurroundings {
  /** An O_PATH descriptor of the export. */
  readonly directory: number;
  /** Whether being in the export as the root is all it takes to stay in it. */
  readonly contained: boolean;
  /** The magic number of the export's file system: statfs(2). */
  readonly fileSystem: number;
  /** An O_PATH descriptor of the process's own descriptors. */
  readonly ownDescriptors: number;
  /** Is told of every special file that was not opened. */
  readonly refused: () => void;
  readonly idRefused: IdRefusal;
  /** Ends the process at once. */
  readonly die: (reason: string) => never;
}

/** Makes the security model that was asked for, with all that it takes. */
export function chooseModel(
  settings: ModelSettings,
  ids: IdMappings | undefined,
  surroundings: ModelSurroundings,
): SecurityModel {
  return settings.name === 'mapped-xattr' || settings.name === 'mapped-file'
    ? mapped(settings, surroundings)
    : unmapped(settings, ids, surroundings);
}

function unmapped(
  { name, fileCapabilities }: ModelSettings,
  ids: IdMappings | undefined,
  { directory, contained, fileSystem, ownDescriptors, refused, idRefused, die }: ModelSurroundings,
): SecurityModel {
  const Credentials = name === 'none' ? OptionalCredentials : GuestCredentials;
  const own = new OwnDescriptors(ownDescriptors);
  const paths = contained ? new PathResolver() : new CheckedPathResolver(directory, own);
  const parts = {
    paths,
    credentials: new Credentials(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, die),
    descriptors: new DescriptorOpener(paths, own, refused),
    generations: new GenerationReader(fileSystem, true),
  };
  if (name === 'none') return new None(parts);
  if (ids === undefined) return new Passthrough(parts);
  const [uids, gids] = [new IdMap(ids.uids), new IdMap(ids.gids)];
  const inode = new Inode(paths, own);
  return new MappedIds({ ...parts, uids, gids, inode, fileCapabilities, refused: idRefused });
}

function mapped(
  { name, fileMode, directoryMode, hostSymlinks }: ModelSettings,
  { directory, contained, fileSystem, ownDescriptors, refused }: ModelSurroundings,
): SecurityModel {
  const hidden = name === 'mapped-file' ? metadataNames : [];
  const root = contained ? undefined : directory;
  const paths = new NameResolver(hidden, root);
  const own = new OwnDescriptors(ownDescriptors);
  const parts = {
    inode: new Inode(paths, own),
    descriptors: new DescriptorOpener(paths, own, refused),
    generations: new GenerationReader(fileSystem, false),
    fileMode,
    directoryMode,
    hostSymlinks,
    refused,
  };
  if (name === 'mapped-file') return mappedFile(paths, parts, root);
  return mappedXattr(paths, parts);
}

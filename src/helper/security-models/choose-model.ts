import { GuestCredentials } from '../credentials/guest-credentials.js';
import { OptionalCredentials } from '../credentials/optional-credentials.js';
import { CheckedPathResolver } from '../paths/checked-path-resolver.js';
import { DescriptorResolver } from '../paths/descriptor-resolver.js';
import { NameResolver } from '../paths/name-resolver.js';
import { OwnDescriptors } from '../paths/own-descriptors.js';
import type { PassedDescriptor } from '../paths/passed-descriptor.js';
import { type ByteResolver, PathResolver } from '../paths/path-resolver.js';
import { RecordResolver } from '../paths/record-resolver.js';
import type { RequestScope } from '../paths/request-scope.js';
import { DescriptorOpener } from './descriptor-opener.js';
import { DescriptorRequests } from './descriptor-requests.js';
import { FileStore } from './file-store.js';
import { GenerationReader } from './generation-reader.js';
import { IdMap, type IdMappings } from './id-map.js';
import { mappedFile, mappedFileOfDescriptors } from './mapped-file.js';
import { Inode } from './inode.js';
import { type IdRefusal, MappedIds } from './mapped-ids.js';
import type { MappedParts } from './mapped.js';
import { mappedXattr } from './mapped-xattr.js';
import { metadataNames } from './metadata-directory.js';
import type { ModelSettings } from './model-names.js';
import { None } from './none.js';
import { Passthrough } from './passthrough.js';
import type { SecurityModel } from './security-model.js';

/** What every model works on and with. */
export interface ModelDependencies {
  /** What a request holds until it is answered. */
  readonly scope: RequestScope;
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
  /** What requests about a descriptor are about; undefined where there are none. */
  readonly passed: PassedDescriptor | undefined;
  /** Ends the process at once. */
  readonly die: (reason: string) => never;
}

/** Makes the security model that was asked for, with all that it takes. */
export function chooseModel(
  settings: ModelSettings,
  ids: IdMappings | undefined,
  dependencies: ModelDependencies,
): SecurityModel {
  const [byPath, byDescriptor] = makeModels(settings, ids, dependencies);
  const { passed } = dependencies;
  if (passed === undefined || byDescriptor === undefined) return byPath;
  return new DescriptorRequests(byPath, byDescriptor, passed);
}

/** A model for paths, and for descriptors where there are requests about them. */
type Models = readonly [byPath: SecurityModel, byDescriptor: SecurityModel | undefined];

function makeModels(
  settings: ModelSettings,
  ids: IdMappings | undefined,
  dependencies: ModelDependencies,
): Models {
  switch (settings.name) {
    case 'passthrough':
    case 'none':
      return unmapped(settings, ids, dependencies);
    case 'mapped-xattr':
    case 'mapped-file':
      return mapped(settings, dependencies);
  }
}

function unmapped(
  { name, fileCapabilities }: ModelSettings,
  ids: IdMappings | undefined,
  dependencies: ModelDependencies,
): Models {
  const { scope, directory, contained, fileSystem, ownDescriptors, refused, idRefused, passed, die } =
    dependencies;
  const Credentials = name === 'none' ? OptionalCredentials : GuestCredentials;
  const own = new OwnDescriptors(ownDescriptors);
  const credentials = new Credentials(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, die);
  const make = (paths: PathResolver): SecurityModel => {
    const descriptors = new DescriptorOpener(scope, paths, own, refused);
    const parts = { paths, credentials, descriptors, generations: new GenerationReader(fileSystem, true) };
    if (name === 'none') return new None(parts);
    if (ids === undefined) return new Passthrough(parts);
    const [uids, gids] = [new IdMap(ids.uids), new IdMap(ids.gids)];
    const inode = new Inode(scope, paths, own);
    return new MappedIds({ ...parts, uids, gids, inode, fileCapabilities, refused: idRefused });
  };
  const paths = contained ? new PathResolver(scope) : new CheckedPathResolver(scope, directory, own);
  const byPath = make(paths);
  if (passed === undefined) return [byPath, undefined];
  return [byPath, make(new DescriptorResolver(scope, passed, ownDescriptors))];
}

function mapped(
  { name, fileMode, directoryMode, hostSymlinks }: ModelSettings,
  { scope, directory, contained, fileSystem, ownDescriptors, refused, passed }: ModelDependencies,
): Models {
  const hidden = name === 'mapped-file' ? metadataNames : [];
  const root = contained ? undefined : directory;
  const names = new NameResolver(scope, hidden);
  const own = new OwnDescriptors(ownDescriptors);
  const common = { scope, fileMode, directoryMode, hostSymlinks, refused };
  const partsFor = (paths: ByteResolver, objects: PathResolver): Omit<MappedParts, 'store' | 'xattrs'> => ({
    ...common,
    paths,
    objects,
    inode: new Inode(scope, paths, own),
    descriptors: new DescriptorOpener(scope, paths, own, refused),
    generations: new GenerationReader(fileSystem, objects !== names),
  });
  const parts = partsFor(names, names);
  const objects = passed && new DescriptorResolver(scope, passed, ownDescriptors);
  if (name === 'mapped-xattr') {
    return [mappedXattr(parts), objects && mappedXattr(partsFor(objects, objects))];
  }
  const store = new FileStore(scope, parts.descriptors, root);
  const records = passed && new RecordResolver(scope, names, passed, ownDescriptors);
  return [
    mappedFile({ ...parts, store }),
    records && objects && mappedFileOfDescriptors({ ...partsFor(records, objects), store }),
  ];
}

import { usageError } from '../../startup/start-errors.js';
import {
  isMapped,
  type ModelName,
  modelNames,
  type ModelSettings,
  multidevsModes,
} from '../security-models/model-names.js';
import { idMappings } from './id-mapping.js';
import { oneOf, text } from './option-values.js';
import { onOff, type OptionValues } from './options.js';

export { isMapped };

/** A mode for what a mapped model makes on the host. */
function hostMode(values: OptionValues, name: 'fmode' | 'dmode', model: ModelName, usual: number): number {
  const mode = text(values, name);
  if (mode === undefined) return usual;
  if (!isMapped(model)) {
    throw usageError(
      `--${name} is only for mapped-xattr and mapped-file: in ${model} the guest's modes are the host's`,
    );
  }
  if (!/^0?[0-7]{3}$/.test(mode)) throw usageError(`--${name} ${mode}: must be octal, from 000 to 777`);
  return Number.parseInt(mode, 8);
}

function hostSymlinks(values: OptionValues, model: ModelName): boolean {
  if (values['host-symlinks'] !== true) return false;
  if (!isMapped(model)) {
    throw usageError(
      `--host-symlinks is only for mapped-xattr and mapped-file: in ${model} all links are the host's`,
    );
  }
  return true;
}

/** What the options say of the security model. Throws a usage error. */
export function modelSettings(values: OptionValues): ModelSettings {
  const name = oneOf('security-model', text(values, 'security-model') ?? 'passthrough', modelNames);
  if (name !== 'passthrough' && idMappings(values) !== undefined) {
    throw usageError(
      `ids are mapped with passthrough only: in ${name} the owners on the host are not the guest's`,
    );
  }
  return {
    name: name === 'mapped' ? 'mapped-xattr' : name,
    fileMode: hostMode(values, 'fmode', name, 0o600),
    directoryMode: hostMode(values, 'dmode', name, 0o700),
    xattrs: oneOf('xattr', text(values, 'xattr') ?? 'on', onOff) === 'on',
    // the mapped models only record them
    fileCapabilities: values['file-capabilities'] === true && !isMapped(name),
    hostSymlinks: hostSymlinks(values, name),
    multidevs: oneOf('multidevs', text(values, 'multidevs') ?? 'remap', multidevsModes),
  };
}

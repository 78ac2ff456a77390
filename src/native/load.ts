import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { StartError } from '../startup/start-errors.js';

/**
 * npm packages with machine code: what can be missing or made for another Node although all files of ours are there.
 * koffi comes compiled in a package for each platform, which npm may have left out; posix is compiled when it is
 * installed, for the Node of that moment.
 */
type NativePackage = 'koffi' | 'posix';

// the build writes the name of the bundle here where that is CommonJS
const require = createRequire(import.meta.url);

/** Loads a package. Throws a StartError that says what to type when it does not load. */
export function loadPackage(name: NativePackage): unknown {
  try {
    return require(name);
  } catch (error) {
    throw new StartError('package-not-loaded', `${reason(name, error as Error)}; ${remedy(name)}`);
  }
}

function reason(name: NativePackage, { message }: Error): string {
  const subject = `the npm package ${name}`;
  if (directoryOf(name) === undefined) return `${subject} is missing`;
  if (message.includes('NODE_MODULE_VERSION'))
    return `${subject} was compiled for another Node than this one (${process.execPath}, ${process.version})`;
  if (name === 'posix' && message.startsWith('unable to load'))
    return `${subject} was not compiled when it was installed`;
  const [firstLine = ''] = message.split('\n');
  return `${subject} does not load in Node ${process.version} on ${process.platform}-${process.arch}: ${firstLine}`;
}

/** Where the package lies, if it does. */
function directoryOf(name: NativePackage): string | undefined {
  try {
    const entry = require.resolve(name);
    return entry.slice(0, entry.lastIndexOf(join('node_modules', name))) + join('node_modules', name);
  } catch {
    return undefined;
  }
}

/** What to type, tried with npm 10, 11 and 12. npm 12 runs an install script only where it is allowed. */
function remedy(name: NativePackage): string {
  const directory = directoryOf(name);
  if (name !== 'posix' || directory === undefined)
    return 'install the helper again, with the same Node and npm install --include=optional';
  const project = dirname(dirname(directory));
  const prefix = /^(.*?)\/lib\/node_modules\//.exec(project)?.[1];
  // that of another Node, whose npm may be the one that is found, can be another one
  if (prefix !== undefined)
    return `type "npm rebuild --global --prefix ${prefix} --allow-scripts=posix posix"`;
  const approve = `npm install-scripts approve --prefix ${project} posix`;
  return `type "npm rebuild --prefix ${project} posix" (with npm 12 before that "${approve}")`;
}

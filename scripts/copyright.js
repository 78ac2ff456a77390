/**
 * Prints the copyright file of the packages, in Debian's machine-readable form, from what is installed.
 *   node scripts/copyright.js MODULES NODE
 * MODULES is the directory in which npm has installed what the helper depends on, NODE the npm package of Node.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [modules, node] = process.argv.slice(2);
const library = 'usr/lib/virtfs-proxy-helper';

const manifestOf = (directory) => ({
  directory,
  ...JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')),
});

/** Every package that npm has installed. */
const { packages } = JSON.parse(readFileSync(join(modules, 'node_modules/.package-lock.json'), 'utf8'));
const manifests = Object.keys(packages).map((directory) => manifestOf(join(modules, directory)));

/** The licence of a package. The builds for one platform have it in the package that they are parts of. */
function licence({ name, version, directory, license }) {
  const file = readdirSync(directory).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  if (file !== undefined) {
    const text = readFileSync(join(directory, file), 'utf8');
    return { id: `${license}-${name.replaceAll(/[@/]/g, '')}`, title: `${name} ${version}`, text };
  }
  const whole = manifests.find(({ optionalDependencies = {} }) => Object.hasOwn(optionalDependencies, name));
  if (whole !== undefined) return licence(whole);
  process.stderr.write(`package: ${name} has no licence, so it cannot be passed on\n`);
  process.exit(1);
}

/** Where the code of a package is. What is not beside the bundles is in them; nan is headers, compiled into posix. */
function place({ name }) {
  if (name === 'nan') return 'node_modules/posix';
  const [, own] = /^(?:@koromix\/)?(koffi|posix)(?:-|$)/.exec(name) ?? [];
  return own === undefined ? 'dist' : `node_modules/${name}`;
}

/** As the continuation of a field: a blank before each line, a dot in an empty one. */
function continued(text) {
  const lines = text.trimEnd().split(/\r?\n/);
  return lines.map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`)).join('\n');
}

function copyrights({ text }) {
  const withYear = text.match(/^[\s*#]{0,8}copyright\b.*\d{4}.*$/gim);
  const found = withYear ?? text.match(/^[\s*#]{0,8}copyright .*$/gim) ?? ['see the licence'];
  return found.map((line) => line.replace(/^[\s*#]*(copyright\s*)?/i, '').trim());
}

const own = { id: 'Apache-2.0', text: 'Copyright the authors of virtfs-proxy-helper' };
const privateNode = { ...licence(manifestOf(node)), id: 'Node.js' };

/** All licences by the files that they hold for. */
const places = new Map([['dist', [own]]]);
for (const manifest of manifests) {
  places.set(place(manifest), [...(places.get(place(manifest)) ?? []), licence(manifest)]);
}
const others = new Map([...places.values(), [privateNode]].flat().map((one) => [one.id, one]));
others.delete(own.id);

function stanza(files, licences) {
  return `
Files: ${files}
Copyright: ${[...new Set(licences.flatMap(copyrights))].join('\n ')}
License: ${licences.map(({ id }) => id).join(' and ')}
`;
}

process.stdout.write(`Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: virtfs-proxy-helper
Comment: The program comes with Node and with packages of npm, each under its own licence.
${stanza('*', [own])}${[...places].map(([name, licences]) => stanza(`${library}/${name}/*`, licences)).join('')}${stanza(`${library}/bin/node`, [privateNode])}
License: ${own.id}
 On Debian systems the complete text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
${[...others.values()]
  .map(({ id, title, text }) => `\nLicense: ${id}\n [${title}]\n .\n${continued(text)}\n`)
  .join('')}`);

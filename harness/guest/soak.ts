/** What `scripts/soak-guest` runs: rounds of unpacking, building and deleting on a share, for some minutes. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { exitOnSignals, Machine, type RunOptions } from './qemu.js';
import { repositoryRoot } from './repository.js';

/** Some hundred source files that every checkout has. */
const trees = ['src', 'test'];

/** Each round takes the next: writes are synchronous in the first, and delayed by the guest in the others. */
const mounts = ['cache=none,access=client,posixacl', 'cache=mmap,access=user', 'cache=loose,access=client'];

const round = `
cd /mnt/work; rm -rf "$1"; mkdir "$1"; cd "$1"
tar xf ../tree.tar
find . -name '*.ts' | LC_ALL=C sort >sources
mkdir objects
while read -r source; do
  object="objects/$(echo "$source" | tr / _)"
  awk '{ print NR, length, $0 }' "$source" >"$object.new"
  gzip -c "$object.new" >"$object.gz.new"
  mv "$object.gz.new" "$object.gz"
  mv "$object.new" "$object"
  touch -r "$source" "$object"
done <sources
xargs cat <sources >library
cat objects/*.gz | gzip -dc | wc -c >size-of-objects
[ "$(cat size-of-objects)" = "$(cat objects/*.ts | wc -c)" ]
mkdir copy; cp -a ${trees.join(' ')} copy; for t in ${trees.join(' ')}; do diff -r $t copy/$t; done
ln library library.hard; ln -s library library.soft; chmod 600 library.hard; setfattr -n user.round -v "$1" library
tar cf packed.tar objects copy; gzip packed.tar; gzip -dc packed.tar.gz | tar tf - | wc -l >packed-entries
[ "$(stat -c '%a %h' library)" = '600 2' ]; [ "$(getfattr --only-values -n user.round library)" = "$1" ]
truncate -s 10 packed.tar.gz; mkfifo pipe; rm pipe
sha256sum <library.soft
cd ..; rm -r "$1"`;

const minutes = Number(process.argv[2]);
if (!(minutes > 0)) throw new Error('usage: soak MINUTES');
exitOnSignals();
const machine = await Machine.boot({ tag: 'work' });
try {
  const { directory, helper } = machine.share('work');
  const library = prepare(directory);
  const before = helper.openDescriptors();
  const end = Date.now() + minutes * 60_000;
  for (let count = 1; Date.now() < end; count++) {
    // Root and an ordinary user take turns.
    const as = count % 2 === 0 ? { as: { uid: 1000, gid: 1000 } } : {};
    await work(count, as, library);
  }
  const after = helper.openDescriptors();
  const left = fs.readdirSync(directory).filter((name) => name !== 'tree.tar');
  const ends = await machine.powerOff();
  const [{ end: status, errors } = { end: 'unknown', errors: [] }] = ends.helpers;
  console.log(
    `descriptors before and after: ${before.length}, ${after.length}; errors logged: ${errors.length}`,
  );
  console.log(`files left: ${left.length}; the helper ended with ${status}, QEMU with ${ends.qemu}`);
  const good = after.length === before.length && left.length === 0 && errors.length === 0 && status === 0;
  if (!good) {
    console.log([...left, ...after, ...errors].join('\n'));
    process.exitCode = 1;
  }
} finally {
  await machine.destroy();
}

/** Puts the tree where the guest finds it; returns the digest of what the guest should build from it. */
function prepare(directory: string): string {
  fs.chmodSync(directory, 0o1777);
  // A copy, so that nobody edits the files between packing and digesting.
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'virtfs-sources-'));
  try {
    for (const tree of trees) {
      fs.cpSync(path.join(repositoryRoot, tree), path.join(copy, tree), { recursive: true });
    }
    execFileSync('tar', ['-C', copy, '-cf', path.join(directory, 'tree.tar'), ...trees]);
    const files = fs
      .readdirSync(copy, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .toSorted();
    const digest = createHash('sha256');
    for (const file of files) digest.update(fs.readFileSync(path.join(copy, file)));
    console.log(`a tree of ${files.length} source files; ${minutes} minutes`);
    return digest.digest('hex');
  } finally {
    fs.rmSync(copy, { recursive: true });
  }
}

async function work(count: number, as: RunOptions, library: string): Promise<void> {
  const started = Date.now();
  const options = mounts[count % mounts.length]!;
  await machine.mount('work', `version=9p2000.L,msize=262144,${options}`);
  const built = await machine.run(`set -- round-${count}${round}`, { ...as, timeout: 600_000 });
  if (built !== `${library}  -`) throw new Error(`round ${count} built something else: ${built}`);
  await machine.unmount('work');
  const { helper } = machine.share('work');
  const memory = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${helper.pid}/status`, 'utf8'))?.[1];
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(
    `round ${count} (${options}): ${seconds} s; the helper: ${helper.openDescriptors().length} descriptors, ${memory ?? '?'} kB`,
  );
}

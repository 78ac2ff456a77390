/** The image of the Dockerfile, built by buildah in a store of its own. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { DebianTree } from '../../harness/debian-tree.js';

const NAME = 'localhost/virtfs-proxy-helper';

/** Where npm of this machine has its settings and certificates; the build shall reach the same registry. */
const npmFiles = ['/usr/lib/node_modules/npm', '/usr/include/node', '/etc/ssl/certs/ca-certificates.crt'];

export interface ImageConfiguration {
  readonly entrypoint: readonly string[];
  readonly healthCheck: readonly string[];
}

export class Image {
  readonly #store = fs.mkdtempSync(path.join(os.tmpdir(), 'image-store-'));

  /** Builds as the documentation says, over trees of this machine's Debian. */
  build(): void {
    this.#base('localhost/build-base', ['g++', 'make', 'python3'], addNpm);
    // the tree that the tests of systemd use, too: another would take half a minute
    this.#base('localhost/base', ['systemd']);
    console.log('building the image ...');
    this.#buildah(
      ...['build', '--format', 'docker', '--isolation', 'chroot', '--tag', NAME],
      ...['--build-arg', 'BUILD_BASE=localhost/build-base', '--build-arg', 'BASE=localhost/base'],
      // what npm of this machine has fetched already
      ...['--volume', `${npmSetting('cache')}:/root/.npm`, repositoryRoot],
    );
  }

  configuration(): ImageConfiguration {
    const { Docker } = JSON.parse(this.#buildah('inspect', '--type', 'image', NAME)) as {
      Docker: { config: { Entrypoint: string[]; Healthcheck: { Test: string[] } } };
    };
    const { Entrypoint, Healthcheck } = Docker.config;
    return { entrypoint: Entrypoint, healthCheck: Healthcheck.Test };
  }

  /** The files of a new container, mounted. @returns where */
  mount(): string {
    const container = this.#buildah('from', NAME);
    return this.#buildah('mount', container);
  }

  /** Removes the image and all containers. */
  remove(): void {
    this.#buildah('rm', '--all');
    fs.rmSync(this.#store, { recursive: true, force: true });
  }

  #base(name: string, packages: readonly string[], add?: (tree: DebianTree) => void): void {
    const container = this.#buildah('from', 'scratch');
    const tree = new DebianTree(packages, { directory: this.#buildah('mount', container) });
    add?.(tree);
    this.#buildah('commit', '--quiet', '--rm', container, name);
  }

  #buildah(...words: readonly string[]): string {
    const store = ['--root', path.join(this.#store, 'root'), '--runroot', path.join(this.#store, 'run')];
    return execFileSync('buildah', [...store, '--storage-driver', 'overlay', ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  }
}

/** npm with the settings of this machine, and Node's headers, which the package posix is compiled with. */
function addNpm(tree: DebianTree): void {
  for (const file of [...npmFiles, npmSetting('globalconfig'), npmSetting('userconfig')]) {
    if (!fs.existsSync(file)) continue;
    fs.cpSync(file, tree.at(file), { recursive: true });
  }
  fs.symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', tree.at('/usr/bin/npm'));
}

function npmSetting(name: string): string {
  return execFileSync('npm', ['config', 'get', name], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

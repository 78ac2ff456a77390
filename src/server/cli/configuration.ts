import type { Option } from '../../cli/arguments.js';
import { type StartError, usageError } from '../../startup/start-errors.js';
import type { PassedSocket } from '../../service/activation.js';
import { type ListenAddress, parseListenAddress, passedAddress } from '../transports/address.js';
import { serverOptions, type ServerOptionName } from './options.js';

/** What bounds the memory and the descriptors that a client can take. */
export interface SessionLimits {
  readonly fids: number;
  readonly requests: number;
  readonly descriptors: number;
  readonly attributeBytes: number;
}

/** What the command line asks of the server, complete and valid in itself. Users are names or ids as text. */
export interface ServerConfiguration {
  readonly address: ListenAddress;
  readonly runAs: string | undefined;
  readonly keepListening: boolean;
  readonly uid: string | undefined;
  readonly gid: string | undefined;
  readonly allowedUsers: readonly string[];
  /** Undefined for every one. */
  readonly allowedCids: readonly number[] | undefined;
  readonly coherent: boolean;
  readonly msize: number;
  /** What the guest mounts, of a vhost-user device. */
  readonly tag: string | undefined;
  readonly limits: SessionLimits;
  /** Within a minute. */
  readonly helperRestarts: number;
  readonly readyDescriptor: number | undefined;
}

/** Options as they were given, in their order. */
export type GivenOptions = readonly { readonly name: string; readonly value: string | true }[];

const MAX_CID = 0xffff_fffe;
const MANY = 1_000_000;
const STDERR = 2;
/** So many bytes the configuration of a device has, beside the length of its tag. */
const MAX_TAG_BYTES = 254;

/**
 * Checks the options of the server; others are passed over. Throws a usage error.
 *
 * @param passed the sockets of the service manager; undefined where there is none
 * @param command whose options these are
 */
export function configureServer(
  given: GivenOptions,
  passed: readonly PassedSocket[] | undefined,
  command: string,
): ServerConfiguration {
  const values = new Values(given, command);
  const address = listenAddress(values, passed);
  const only = (kind: ListenAddress['kind'], ...names: readonly ServerOptionName[]): void => {
    const wrong = names.find((name) => values.has(name));
    if (wrong !== undefined && address.kind !== kind && address.kind !== 'descriptor')
      throw values.wrong(`--${wrong} is only for --listen ${kind}:`);
  };
  only('unix', 'uid', 'gid', 'allow-uid');
  only('vsock', 'allow-cid');
  only('tcp', 'allow-network');
  const cids = values.all('allow-cid').map((cid) => values.number('allow-cid', cid, 0, MAX_CID));
  const ready = values.text('ready-fd');
  const readyDescriptor = ready === undefined ? undefined : values.number('ready-fd', ready, 0, 999_999_999);
  if (readyDescriptor === STDERR) throw values.wrong('--ready-fd 2: the log goes there; pass another one');
  if (address.kind === 'descriptor' && address.descriptor === readyDescriptor) {
    throw values.wrong(
      `${address.origin} and --ready-fd ${readyDescriptor} are the same descriptor; pass two`,
    );
  }
  return {
    address,
    runAs: values.text('run-as'),
    keepListening: values.has('keep-listening'),
    uid: values.text('uid'),
    gid: values.text('gid'),
    allowedUsers: values.all('allow-uid'),
    allowedCids: cids.length > 0 ? cids : undefined,
    coherent: values.has('coherent'),
    tag: mountTag(values, address),
    msize: values.bounded('msize', 4096, 1_048_576, 524_288),
    limits: {
      fids: values.bounded('max-fids', 16, MANY, 65_536),
      requests: values.bounded('max-requests', 1, 1024, 128),
      descriptors: values.bounded('max-open', 4, MANY, 960),
      attributeBytes: values.bounded('max-xattr-bytes', 65_536, 1_073_741_824, 8_388_608),
    },
    helperRestarts: values.bounded('helper-restarts', 0, 1000, 5),
    readyDescriptor,
  };
}

function listenAddress(values: Values, passed: readonly PassedSocket[] | undefined): ListenAddress {
  const listen = values.text('listen');
  if (listen !== undefined) return parseListenAddress(listen, values.has('allow-network'), values.command);
  if (passed === undefined) throw values.wrong('--listen is required');
  return passedAddress(passed, values.has('tag') ? 'vhost-user' : '9p', values.command);
}

/** Throws a usage error where there is no tag, or one too many. */
function mountTag(values: Values, { carries }: ListenAddress): string | undefined {
  const tag = values.text('tag');
  if (carries === '9p') {
    if (tag !== undefined) throw values.wrong('--tag is only for --listen vhost-user:');
    return undefined;
  }
  if (tag === undefined)
    throw values.wrong('--listen vhost-user: needs --tag, the name that the guest mounts');
  const bytes = Buffer.byteLength(tag);
  if (bytes === 0 || bytes > MAX_TAG_BYTES)
    throw values.wrong(`--tag: must have 1 to ${MAX_TAG_BYTES} bytes`);
  return tag;
}

class Values {
  readonly command: string;
  readonly #given: GivenOptions;

  /** An option that is not repeatable may be given again with the same value only. */
  constructor(given: GivenOptions, command: string) {
    this.command = command;
    this.#given = given;
    for (const [name, { repeatable }] of Object.entries<Option>(serverOptions)) {
      const [first, other] = new Set(
        given.filter((option) => option.name === name).map(({ value }) => value),
      );
      if (repeatable !== true && other !== undefined)
        throw this.wrong(`--${name} is given twice: ${String(first)} and ${String(other)}`);
    }
  }

  wrong(message: string): StartError {
    return usageError(message, this.command);
  }

  has(name: ServerOptionName): boolean {
    return this.#given.some((option) => option.name === name);
  }

  all(name: ServerOptionName): string[] {
    return this.#given.flatMap((option) =>
      option.name === name && option.value !== true ? [option.value] : [],
    );
  }

  text(name: ServerOptionName): string | undefined {
    return this.all(name)[0];
  }

  number(name: ServerOptionName, text: string, least: number, most: number): number {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
    if (value < least || value > most)
      throw this.wrong(`--${name} ${text}: must be a number from ${least} to ${most}`);
    return value;
  }

  bounded(name: ServerOptionName, least: number, most: number, usual: number): number {
    const given = this.text(name);
    return given === undefined ? usual : this.number(name, given, least, most);
  }
}

import * as errno from '../../abi/errno.js';
import type { FileStatus } from '../../syscalls/status.js';
import type { Attributes, QidVersions } from '../fids/attributes.js';
import type { Fid, FidTable } from '../fids/fid-table.js';
import type { Locks } from '../fids/locks.js';
import type { Node } from '../fids/node.js';
import type { OpenFiles } from '../fids/open-files.js';
import type { HelperClient } from '../helper-client/helper-client.js';
import type { Dialect, ReplyOf, ReplyType, RequestOf, RequestType } from '../p9/messages.js';
import type { Message } from './message.js';
import type { MessageBuffer, MessageBuffers } from './message-buffers.js';

/** What the operator chose, and what follows from it. */
export interface Settings {
  readonly versions: QidVersions;
  /** Whether the types of directory entries are the kernel's, or have to be asked of the helper: the mapped models'. */
  readonly entryTypes: 'kernel' | 'attributes';
  /** Names that the guest is not to see in listings: those of mapped-file's metadata. */
  readonly hiddenNames: ReadonlySet<string>;
  /** Bytes of one attribute that is being written, and of all together. */
  readonly maxAttributeBytes: number;
}

/** What the handlers of one session work with. */
export interface Context {
  readonly helper: HelperClient;
  readonly settings: Settings;
  readonly fids: FidTable;
  readonly files: OpenFiles;
  readonly locks: Locks;
  readonly buffers: MessageBuffers;
  readonly status: FileStatus;
  dialect: Dialect;
  msize: number;
  /** The root of the export, once somebody has attached. */
  root: Node | undefined;
  /** How often something was changed: what was learned before may be out of date. */
  changes: number;
  /** Bytes of attributes that fids hold. */
  attributeBytes: number;
  /** Bytes of files, so far. */
  readonly fileBytes: { read: number; written: number };
}

/** A reply whose fields are to be encoded. */
export interface FieldsReply {
  readonly type: ReplyType;
  readonly fields: ReplyOf<ReplyType>;
}

/** A reply whose data are in a buffer already, behind the place of their header. */
export interface DataReply {
  readonly type: 'Rread' | 'Rreaddir';
  readonly buffer: MessageBuffer;
  readonly count: number;
}

/** A reply whose data are where the message has its place for them: as many bytes as `placed` says. */
export interface PlacedReply {
  readonly type: 'Rread';
  readonly placed: number;
}

/** What a request is answered with: a reply, or -errno. */
export type Outcome = FieldsReply | DataReply | PlacedReply | number;

/**
 * Carries out one kind of request.
 *
 * @param message what brought the request
 */
export type Handler<Type extends RequestType> = (
  request: RequestOf<Type>,
  context: Context,
  message: Message,
) => Outcome | Promise<Outcome>;

export function reply<Type extends ReplyType>(type: Type, fields: ReplyOf<Type>): FieldsReply {
  return { type, fields };
}

/** A fid that stands for a file, or -errno. */
export function fidOf({ fids }: Context, number: number): Fid | number {
  const fid = fids.get(number);
  return fid === undefined || fid.transfer !== undefined ? -errno.EBADF : fid;
}

export const isFailure = (result: unknown): result is number => typeof result === 'number' && result < 0;

/** What a request about a file names it by. */
export interface Target {
  readonly path: Uint8Array;
  /** The open file that the request is about, where the path is empty; else -1. */
  readonly descriptor: number;
}

const EMPTY = new Uint8Array();

/** The open file of a fid, whatever its name leads to now; else its path. @returns -errno where there is neither */
export function targetOf(fid: Fid, { files }: Context): Target | number | Promise<Target | number> {
  if (fid.file !== undefined) {
    const descriptor = files.descriptorOf(fid.file);
    return typeof descriptor === 'number' ? openTarget(descriptor) : descriptor.then(openTarget);
  }
  const path = fid.node.path();
  return typeof path === 'number' ? path : { path, descriptor: -1 };
}

const openTarget = (descriptor: number): Target | number =>
  descriptor < 0 ? descriptor : { path: EMPTY, descriptor };

/** Asks for the attributes of a fid's file. @returns -errno: ESTALE when the name leads to another file now */
export async function attributesOf(fid: Fid, context: Context): Promise<Attributes | number> {
  const target = await targetOf(fid, context);
  if (typeof target === 'number') return target;
  const attributes = await context.helper.request('lstat', { path: target.path }, target.descriptor);
  if (typeof attributes === 'number') return attributes;
  return fid.node.isSame(attributes) ? attributes : -errno.ESTALE;
}

/**
 * What a request that changes a fid's file names it by. Somebody else may have given the name to another file, so that is
 * looked at first where the fid is not open.
 *
 * @returns -errno: ESTALE when the name leads to another file now
 */
export async function ownTargetOf(fid: Fid, context: Context): Promise<Target | number> {
  if (fid.file !== undefined) return targetOf(fid, context);
  const path = await ownPathOf(fid, context);
  return typeof path === 'number' ? path : { path, descriptor: -1 };
}

/** The path of a fid's file, also of an open one. @returns -errno: ESTALE when the name leads to another file now */
export async function ownPathOf({ node }: Fid, { helper }: Context): Promise<Uint8Array | number> {
  const path = node.path();
  if (typeof path === 'number') return path;
  const attributes = await helper.request('lstat', { path });
  if (typeof attributes === 'number') return attributes;
  return node.isSame(attributes) ? path : -errno.ESTALE;
}

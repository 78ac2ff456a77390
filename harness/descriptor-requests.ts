/** A helper that takes requests about descriptors, and a client that makes them. */
import { closeSync, constants } from 'node:fs';
import { expect, onTestFinished } from 'vitest';
import { sendDescriptors } from './kernel.js';
import { type Session, sessionForTest } from './helper-process.js';
import { errnoName } from './libc.js';
import { requests } from './requests.js';
import { exportForTest } from './tree.js';
import type { Reply, WireClient } from './wire-client.js';

export const OPTION = '--descriptor-requests';
export const owner = { uid: 1000, gid: 1001 };
export const TIME: readonly [bigint, bigint] = [1_000_000_000n, 5n];

export interface Served extends Session {
  readonly directory: string;
  /** Makes a request about descriptors. */
  readonly about: (bytes: Buffer, ...descriptors: readonly number[]) => Reply;
  /** The same, for the name of the error alone. */
  readonly error: (bytes: Buffer, ...descriptors: readonly number[]) => string;
}

export function about(client: WireClient, bytes: Buffer, descriptors: readonly number[]): Reply {
  if (descriptors.length === 0) client.send(bytes);
  else sendDescriptors(client.fd, bytes, descriptors);
  return client.receive(bytes.readUInt32LE(0));
}

export function serve(
  args: readonly string[] = [],
  options: Parameters<typeof sessionForTest>[1] = {},
): Served {
  const directory = exportForTest();
  const session = sessionForTest(directory, { ...options, args: [OPTION, ...args] });
  expect(session.client.request(requests.lstat('/')).errno, session.helper.stderr()).toBe(0);
  const ask = (bytes: Buffer, ...descriptors: readonly number[]): Reply =>
    about(session.client, bytes, descriptors);
  const error = (...parameters: Parameters<typeof ask>): string => {
    const { errno, descriptor } = ask(...parameters);
    if (descriptor !== undefined) closeSync(descriptor);
    return errnoName(errno);
  };
  return { ...session, directory, about: ask, error };
}

export function closeLater(descriptor: number): number {
  onTestFinished(() => {
    closeSync(descriptor);
  });
  return descriptor;
}

/** Makes a file as the guest does. @returns its descriptor */
export function make({ client }: Session, path: string, flags = constants.O_RDWR): number {
  const { O_CREAT } = constants;
  const { descriptor, errno } = client.request(requests.create(path, flags | O_CREAT, 0o640, owner));
  expect(errnoName(errno)).toBe('success');
  return closeLater(descriptor!);
}

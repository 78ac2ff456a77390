import type { Request } from '../../proxy-protocol/decoder.js';
import type { Frame } from '../../proxy-protocol/frame.js';
import type { RequestName } from '../../proxy-protocol/requests.js';
import type { RequestScope } from '../paths/request-scope.js';
import type { Devices } from '../security-models/devices.js';
import type { SecurityModel, XattrModel } from '../security-models/security-model.js';
import type { Destination } from '../../syscalls/libc.js';
import type { FileStatus, FileSystemStatus } from '../../syscalls/status.js';

/** What the handlers work with: made once, used for every request. */
export interface OperationContext {
  readonly model: SecurityModel;
  /** The model itself, or nothing where the guest is to have no attributes. */
  readonly xattrs: XattrModel;
  /** What the request holds until it is answered. */
  readonly scope: RequestScope;
  readonly devices: Devices;
  /** Where the payload of the reply goes. */
  readonly reply: Frame;
  /** The reply's memory from where the bytes of a string go. */
  readonly replyString: Destination;
  readonly status: FileStatus;
  readonly fileSystem: FileSystemStatus;
}

/**
 * Carries out one kind of request.
 *
 * @returns by the request's reply kind a descriptor, 0, or the length of the payload that it wrote to the reply;
 * or -errno
 */
export type Handler<Name extends RequestName> = (request: Request<Name>) => number;

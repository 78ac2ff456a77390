import { ExitStatus } from '../../startup/exit-status.js';
import { StartError } from '../../startup/start-errors.js';
import { type Handover, hasOwnMount, isContained } from '../launch/handover.js';
import type { Logger } from '../../observability/log.js';
import type { Refusals } from '../../observability/refusals.js';
import type { OperationContext } from '../operations/context.js';
import { Frame, MAX_FRAME_BYTES } from '../../proxy-protocol/frame.js';
import { STRING } from '../../proxy-protocol/replies.js';
import { ExportMounts } from '../paths/export-mounts.js';
import { PassedDescriptor } from '../paths/passed-descriptor.js';
import { RequestScope } from '../paths/request-scope.js';
import { chooseModel } from '../security-models/choose-model.js';
import { Devices } from '../security-models/devices.js';
import type { Multidevs } from '../security-models/model-names.js';
import { noXattrs } from '../security-models/no-xattrs.js';
import { ReadOnly } from '../security-models/read-only.js';
import type { SecurityModel } from '../security-models/security-model.js';
import { describeErrno } from '../../abi/errno-text.js';
import { Destination } from '../../syscalls/libc.js';
import { stableMemory } from '../../syscalls/memory.js';
import { exitNow } from '../../syscalls/process.js';
import { FileStatus, FileSystemStatus, fstat, fstatfs } from '../../syscalls/status.js';
import { Connection } from '../transport/connection.js';
import { DescriptorConnection } from '../transport/descriptor-connection.js';

/** What operations tell of: what was refused, and why the process must end. */
export interface Reports {
  readonly log: Logger;
  readonly refusals: Refusals;
}

/** All that carries out the requests of a client. */
export interface Operations {
  readonly context: OperationContext;
  /** Makes the connection of a client that the requests come from. */
  readonly connect: (socket: number) => Connection;
}

/** Makes what carries out requests on the export, before it is entered. Throws a StartError. */
export function assembleOperations(handover: Handover, reports: Reports): Operations {
  const { directory } = handover.export;
  const [status, fileSystem] = [new FileStatus(), new FileSystemStatus()];
  let failed = fstatfs(directory, fileSystem);
  if (failed >= 0) failed = fstat(directory, status);
  if (failed < 0)
    throw new StartError('export-not-opened', `cannot use the export: ${describeErrno(failed)}`);
  const passed = handover.descriptorRequests ? new PassedDescriptor() : undefined;
  const scope = new RequestScope(isContained(handover) ? undefined : directory);
  const model = assembleModel(handover, reports, { scope, passed, fileSystem: fileSystem.type });
  const reply = new Frame(stableMemory(MAX_FRAME_BYTES));
  const context: OperationContext = {
    model,
    devices: new Devices(status, handover.model.multidevs, otherDevice(reports)),
    xattrs: handover.model.xattrs ? model : noXattrs,
    scope,
    reply,
    replyString: new Destination(reply.bytes.subarray(STRING)),
    status,
    fileSystem,
  };
  if (passed === undefined) return { context, connect: (socket) => new Connection(socket, reply) };
  const check = descriptorCheck(handover, reports);
  return { context, connect: (socket) => new DescriptorConnection(socket, reply, passed, check) };
}

/** What the parts of a model share. */
interface SharedParts {
  readonly scope: RequestScope;
  readonly passed: PassedDescriptor | undefined;
  readonly fileSystem: number;
}

function assembleModel(handover: Handover, { log, refusals }: Reports, shared: SharedParts): SecurityModel {
  const writable = chooseModel(handover.model, handover.ids, {
    ...shared,
    directory: handover.export.directory,
    contained: isContained(handover),
    ownDescriptors: handover.ownDescriptors,
    refused: () => {
      refusals.report('refused to open a special file', { error: 'ENXIO' });
    },
    idRefused: (request, refused) => {
      refusals.report('refused an id that is not mapped', { request, error: 'EPERM', ...refused });
    },
    die: (reason) => {
      log.fatal(reason);
      return exitNow(ExitStatus.UNSAFE);
    },
  });
  if (!handover.readOnly) return writable;
  return new ReadOnly(writable, (request) => {
    refusals.report('refused a change of a read-only export', { request, error: 'EROFS' });
  });
}

function otherDevice({ log, refusals }: Reports): (mode: Multidevs, device: string) => void {
  return (mode, device) => {
    if (mode === 'forbid') refusals.report('refused a file of another device', { device, error: 'ENODEV' });
    else log.warn({ device }, 'the export has several devices: files of two may have the same inode number');
  };
}

/** Which descriptors of the client requests can be about. */
function descriptorCheck(handover: Handover, { log }: Reports): (descriptor: number) => number {
  const own = hasOwnMount(handover) ? handover.export.directory : undefined;
  const mounts = new ExportMounts(own, handover.ownDescriptors, handover.formerMounts);
  if (!mounts.isKnown) log.warn('the export has no mount of its own: requests about descriptors are refused');
  return (descriptor) => mounts.check(descriptor);
}

import { RequestDecoder } from '../../proxy-protocol/decoder.js';
import type { Frame } from '../../proxy-protocol/frame.js';
import { type ReplyKind, type RequestName, requests } from '../../proxy-protocol/requests.js';
import { getversion, lstat, statfs } from './attributes.js';
import type { Handler, OperationContext } from './context.js';
import { lgetxattr, llistxattr, readlink } from './strings.js';
import { requestText, resultText } from './trace-text.js';

/**
 * Makes what carries out each request, once for a session. Those that only have a status, or a descriptor, are the
 * security model's own. Each is a function of its own, which V8 compiles with what it works with as constants.
 */
function makeHandlers(context: OperationContext): { readonly [Name in RequestName]: Handler<Name> } {
  const { model, xattrs } = context;
  return {
    open: (request) => model.open(request),
    create: (request) => model.create(request),
    mknod: (request) => model.mknod(request),
    mkdir: (request) => model.mkdir(request),
    symlink: (request) => model.symlink(request),
    link: (request) => model.link(request),
    lstat: lstat(context),
    readlink: readlink(context),
    statfs: statfs(context),
    chmod: (request) => model.chmod(request),
    chown: (request) => model.chown(request),
    truncate: (request) => model.truncate(request),
    utime: (request) => model.utime(request),
    rename: (request) => model.rename(request),
    remove: (request) => model.remove(request),
    lgetxattr: lgetxattr(context),
    llistxattr: llistxattr(context),
    lsetxattr: (request) => xattrs.setxattr(request),
    lremovexattr: (request) => xattrs.removexattr(request),
    getversion: getversion(context),
  };
}

/** Is told every request and its result, on one line. */
export type Trace = (line: string) => void;

/** One kind of request, ready to be carried out. */
export interface Operation {
  readonly name: RequestName;
  readonly opcode: number;
  readonly reply: ReplyKind;
  /** Decodes the payload in the request frame to `request`. */
  readonly decoder: RequestDecoder;
  readonly request: never;
  /** Carries out `request`. @returns as a handler of `helper/operations/table.ts` does */
  readonly execute: (request: never) => number;
}

function operation(
  name: RequestName,
  frame: Frame,
  handler: Handler<never>,
  trace: Trace | undefined,
): Operation {
  const layout = requests[name];
  const decoder = new RequestDecoder(layout, frame);
  // the decoder makes an object of exactly the handler's fields: both come from the same layout
  const request = decoder.request as never;
  const execute =
    trace === undefined
      ? handler
      : (): number => {
          const result = handler(request);
          trace(`${requestText(name, layout, decoder.request)} = ${resultText(layout.reply, result)}`);
          return result;
        };
  return { name, opcode: layout.opcode, reply: layout.reply, decoder, request, execute };
}

/** The names of the requests by opcode. */
export function namesByOpcode(): readonly (RequestName | undefined)[] {
  const names: (RequestName | undefined)[] = [];
  for (const name of Object.keys(requests) as RequestName[]) names[requests[name].opcode] = name;
  return Array.from(names);
}

/** The operations by opcode; there is nothing at the numbers that are no request. `trace`: only when they are shown. */
export function operationsByOpcode(
  frame: Frame,
  context: OperationContext,
  trace?: Trace,
): readonly (Operation | undefined)[] {
  const handlers = makeHandlers(context);
  return namesByOpcode().map((name) =>
    name === undefined ? undefined : operation(name, frame, handlers[name], trace),
  );
}

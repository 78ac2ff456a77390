import type { Handler } from '../operations/handler.js';
import { makeHandlers } from '../operations/table.js';
import type { OperationContext } from '../operations/context.js';
import { RequestDecoder } from '../../proxy-protocol/decoder.js';
import type { Frame } from '../../proxy-protocol/frame.js';
import { type ReplyKind, type RequestName, requests } from '../../proxy-protocol/requests.js';
import { requestText, resultText } from './trace-text.js';

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

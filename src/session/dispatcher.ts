import { type Handler, handlers } from '../operations/table.js';
import type { OperationContext } from '../operations/context.js';
import { RequestDecoder } from '../protocol/decoder.js';
import type { Frame } from '../protocol/frame.js';
import { type ReplyKind, type RequestName, requests } from '../protocol/requests.js';
import { requestText, resultText } from './trace-text.js';

/** Is told every request and its result, on one line. */
export type Trace = (line: string) => void;

/** One kind of request, ready to be carried out. */
export interface Operation {
  readonly name: RequestName;
  readonly opcode: number;
  readonly reply: ReplyKind;
  /** Decodes the payload in the request frame. @returns 0 or -errno */
  decode(size: number): number;
  /** Carries out what was decoded. @returns as a handler of `operations/table.ts` does */
  execute(): number;
}

function operation(
  name: RequestName,
  frame: Frame,
  context: OperationContext,
  trace: Trace | undefined,
): Operation {
  const layout = requests[name];
  const decoder = new RequestDecoder(layout, frame);
  // the decoder makes an object of exactly the handler's fields: both come from the same layout
  const request = decoder.request as never;
  const handler: Handler<never> = handlers[name];
  const plain: Operation = {
    name,
    opcode: layout.opcode,
    reply: layout.reply,
    decode: (size) => decoder.decode(size),
    execute: () => handler(request, context),
  };
  if (trace === undefined) return plain;
  return {
    ...plain,
    decode: (size) => {
      const result = plain.decode(size);
      if (result < 0) trace(`${name} (malformed) = ${resultText(layout.reply, result)}`);
      return result;
    },
    execute: () => {
      const result = plain.execute();
      trace(`${requestText(name, layout, decoder.request)} = ${resultText(layout.reply, result)}`);
      return result;
    },
  };
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
  return namesByOpcode().map((name) =>
    name === undefined ? undefined : operation(name, frame, context, trace),
  );
}

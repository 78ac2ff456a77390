import type { Request } from '../../proxy-protocol/decoder.js';
import type { RequestName } from '../../proxy-protocol/requests.js';

/**
 * Carries out one kind of request.
 *
 * @returns by the request's reply kind a descriptor, 0, or the length of the payload that it wrote to the reply;
 * or -errno
 */
export type Handler<Name extends RequestName> = (request: Request<Name>) => number;

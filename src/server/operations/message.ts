/** A request of the client and the way back to it, whatever carries them. One of `reply`, `replyPlaced`, `drop` ends it. */
export interface Message {
  /** The request; of a Twrite perhaps without its data, where the client's memory has them. */
  readonly frame: Uint8Array;
  /** How many bytes of data the frame lacks. */
  readonly absent: number;
  /** When it came: microseconds of the clock of `MessageStatistics`. */
  arrived: number;
  /** The longest reply that the client has room for. */
  readonly room: number;
  /** The data of a Twrite in one piece. @param data as it was decoded: empty where the frame lacks them */
  data(data: Uint8Array): Uint8Array;
  /** Writes the data of a Twrite to a file. @returns bytes, or -errno */
  writeData(descriptor: number, data: Uint8Array, offset: number | bigint): number | Promise<number>;
  /** Reads from a file to where a Rread has its data. The reply has room for them. @returns bytes, or -errno */
  readData(descriptor: number, count: number, offset: number | bigint): number | Promise<number>;
  /** Answers. @param bytes no more than there is room for; they may be used for something else afterwards */
  reply(bytes: Uint8Array): void;
  /** Answers with what `readData` has read. @param header what stands before it */
  replyPlaced(header: Uint8Array, count: number): void;
  /** Nobody waits for an answer. */
  drop(): void;
}

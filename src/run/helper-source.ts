/** How a helper was lost. */
export interface HelperLoss {
  /** In a few words, the helper among them. */
  readonly reason: string;
  /** Whether another helper is to take its place. */
  readonly isReplaced: boolean;
  /** Whether that is a failure, and not what follows from the end of its server. */
  readonly isFailure: boolean;
}

/** A helper that serves one client's server, and our end of the connection to it. */
export interface ServingHelper {
  /** What the server gets; stays open until `release`. */
  readonly descriptor: number;
  /** Settles when it serves no more; never rejects. */
  readonly lost: Promise<HelperLoss>;
  /** To be called when the server has the descriptor. */
  release(): void;
  /** Sends a signal to a helper whose process is ours. */
  signal(signal: NodeJS.Signals): void;
  /** Ends what it does for this client. Settles when that has ended. */
  stop(): Promise<unknown>;
}

/** Where the helpers of one client come from, one after the other. */
export interface HelperSource {
  /**
   * Throws a StartError.
   *
   * @param abandoned when none is needed any more
   */
  first(abandoned: AbortSignal): Promise<ServingHelper>;
  /**
   * The next one, or why there is none that can take the place of the last. Throws a StartError when there may be one later.
   *
   * @param abandoned when none is needed any more
   */
  next(abandoned: AbortSignal): Promise<ServingHelper | string>;
  /** There will be no next one. */
  close(): void;
}

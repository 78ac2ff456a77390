/** What helpers were asked so far. */
export class HelperCounts {
  requests = 0;
  /** How often requests were sent, all that could be sent together. */
  trips = 0;
  /** How many helpers have taken the place of one before. */
  replacements = 0;
}

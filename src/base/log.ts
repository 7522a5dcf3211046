/** The log of a server, or of a run in process, for all code that writes to it. */

/** Writes one line per call. Known secrets are masked in every text. `fields` say where something happened. */
export interface ServerLog {
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
  /**
   * @param error why it happened: added to the message, with its causes
   * @param mask hides secrets that only one request knows
   */
  error(message: string, error?: unknown, mask?: (text: string) => string, fields?: object): void
}

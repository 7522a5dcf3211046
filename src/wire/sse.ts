/** Frames of server-sent events. */
/** U+0085, U+2028 and U+2029 end a line for some clients. Escaped, the JSON has the same meaning. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g

export const escapeLineEnds = (json: string) =>
  json.replace(LINE_ENDS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Compact JSON that stays on one line for every reader of an event stream. */
export const toJson = (value: unknown) => escapeLineEnds(JSON.stringify(value))

/** A server-sent event without a name (HTML standard, "Server-sent events"). */
export const frame = (json: string) => `data: ${json}\n\n`

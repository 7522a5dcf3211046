/** U+0085, U+2028 and U+2029 end lines for some clients; as escapes they are the same JSON. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g

export const escapeLineEnds = (json: string) =>
  json.replace(LINE_ENDS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Compact JSON that stays on one line for every reader of an event stream. */
export const toJson = (value: unknown) => escapeLineEnds(JSON.stringify(value))

/** One unnamed server-sent event. */
export const frame = (json: string) => `data: ${json}\n\n`

/** Keeps JSON texts free of escapes that are no Unicode. */

/** An escape as `JSON.stringify` writes it; a pair of surrogates is never escaped, so an escaped one is half of a pair. */
const ESCAPE = /\\(u[dD][89a-fA-F][\da-fA-F]{2}|[\s\S])/g

/**
 * A text that `JSON.stringify` wrote, with U+FFFD in place of halves of surrogate pairs (RFC 8259, section 8.2), for which
 * providers refuse the whole request ("no low surrogate in string", "unexpected end of hex escape").
 */
export const toWellFormedJson = (json: string): string =>
  json.includes('\\ud') ? json.replaceAll(ESCAPE, (escaped) => (escaped.length > 2 ? '\\ufffd' : escaped)) : json

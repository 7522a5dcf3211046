/** Field types that the schemas of several request bodies share. */
import { z } from 'zod'

export const text = z.string().nullish()
/** The longest name that a caller may choose: it is repeated in every call, event and log line. */
const MAX_NAME_CHARS = 512
/** A name that a caller chose, such as that of a model. */
export const requiredName = z.string().max(MAX_NAME_CHARS)
const BOOLEANS = new Map<unknown, boolean>([
  ...[1, '1', 'on', 't', 'true', 'y', 'yes'].map((word) => [word, true] as const),
  ...[0, '0', 'off', 'f', 'false', 'n', 'no'].map((word) => [word, false] as const),
])
/** Clients of the original may send words and numbers for booleans. */
export const flag = z.preprocess(
  (value) => BOOLEANS.get(typeof value === 'string' ? value.toLowerCase() : value) ?? value,
  z.boolean().nullish(),
)

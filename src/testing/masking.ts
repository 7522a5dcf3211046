/** Takes secrets and bulk out of what recordings keep. */
import { createHash } from 'node:crypto'
import { keysIn } from '../models/providers.ts'
import { isObject, type JsonObject } from '../wire/json.ts'

const MASK = '[redacted]'
const SECRET_NAMES = /^token$|(api[_-]?key|secret|password|passwd|authorization|access[_-]?token|credentials?|cookie)$/i
/** Keys as providers write them, and what follows "Bearer". */
const KEY_PATTERN = /\bsk-[\w-]{16,}|\b(Bearer|Basic) [\w.~+/=-]{8,}/g
/** Shorter values of variables could be words. */
const MIN_SECRET_CHARS = 8
/** Embedded files beyond this size are kept as their hash. */
const MAX_DATA_CHARS = 1_000

/**
 * A function that masks secrets at any depth: values of fields with secret names, the keys of providers in the environment,
 * APP_TOKEN, and texts that look like keys. JSON inside texts counts. Larger embedded files become their hash.
 */
export function createMask(env: NodeJS.ProcessEnv = process.env): <Value>(value: Value) => Value {
  const secrets = [...keysIn(env), env.APP_TOKEN ?? ''].filter((secret) => secret.length >= MIN_SECRET_CHARS)
  const maskText = (text: string): string => {
    if (text.startsWith('data:') && text.length > MAX_DATA_CHARS) return `data:sha256,${hash(text)}`
    const inner = parseObject(text)
    if (inner !== undefined) {
      const masked = JSON.stringify(mask(inner))
      if (masked !== JSON.stringify(inner)) return masked
    }
    const known = secrets.reduce((left, secret) => left.replaceAll(secret, MASK), text)
    return known.replace(KEY_PATTERN, MASK)
  }
  const maskField = ([name, value]: [string, unknown]): [string, unknown] => [
    name,
    SECRET_NAMES.test(name) && typeof value === 'string' ? MASK : mask(value),
  ]
  const mask = (value: unknown): unknown => {
    if (typeof value === 'string') return maskText(value)
    if (Array.isArray(value)) return value.map(mask)
    return isObject(value) ? Object.fromEntries(Object.entries(value).map(maskField)) : value
  }
  return mask as <Value>(value: Value) => Value
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16)

/** Longer texts are not read as JSON. */
const MAX_JSON_CHARS = 1_000_000
function parseObject(text: string): JsonObject | undefined {
  if (!text.startsWith('{') || text.length > MAX_JSON_CHARS) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined // a text that begins with a brace
  }
}

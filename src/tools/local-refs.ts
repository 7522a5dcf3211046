/** Resolves references inside one JSON Schema (`#`, `#/$defs/name` and other JSON pointers, RFC 6901). */
import { isObject, type JsonSchema } from '../wire/json.ts'

/** Most references that are followed in a row. */
const MAX_HOPS = 32

/** The schema a reference points at; the schema itself when it is not a reference; undefined when the reference cannot be resolved. */
export function resolveRef(schema: unknown, root: JsonSchema): unknown {
  let target = schema
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    if (!isObject(target) || typeof target.$ref !== 'string') return target
    target = atPointer(target.$ref, root)
  }
  return undefined
}

/** The value a local reference points at; undefined when it points outside the schema or at nothing. */
export function atPointer(ref: string, root: JsonSchema): unknown {
  if (ref === '#') return root
  if (!ref.startsWith('#/')) return undefined
  let target: unknown = root
  for (const part of ref.slice(2).split('/').map(decodePart)) {
    const holder: object = typeof target === 'object' && target !== null ? target : {}
    target = Object.hasOwn(holder, part) ? (holder as { [key: string]: unknown })[part] : undefined
  }
  return target
}

/** RFC 6901, section 6: percent-encoding first, then `~1` and `~0`. */
function decodePart(part: string): string {
  let decoded = part
  try {
    decoded = decodeURIComponent(part)
  } catch {
    // An invalid percent-encoding is taken literally.
  }
  return decoded.replaceAll('~1', '/').replaceAll('~0', '~')
}

/** Restores the scalars that the Python original writes as strings. */
/** Fields that always hold text, even when it reads "None" or "3". */
const TEXTS = new Set(
  'agent delta text content arguments output input name message refusal code query queries instructions description title label reason'.split(
    ' ',
  ),
)
/** Fields that hold numbers. */
const NUMBERS = /(^|_)(index|number|tokens|at|count|logprob|temperature|top_p|top_logprobs|max_tool_calls|score)$/

/**
 * Restores the values of one event. The Python original writes every scalar in a stream as a string ("None", "True", "3");
 * the field's name decides what it was, so a text that reads "None" stays a text.
 */
export function fromPython(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return readScalar(value, name)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => fromPython(item, name))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromPython(item, key)]))
}

function readScalar(text: string, name: string): unknown {
  if (TEXTS.has(name)) return text
  switch (text) {
    case 'None':
      return null
    case 'True':
      return true
    case 'False':
      return false
    default:
      return NUMBERS.test(name) && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
  }
}

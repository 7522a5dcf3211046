/** Fields whose strings are texts, whatever they read like. */
const TEXTS = new Set(
  'agent delta text content arguments output input name message refusal code query queries instructions description title label reason'.split(
    ' ',
  ),
)
const NUMBERS = /(^|_)(index|number|tokens|at|count|logprob|temperature|top_p|top_logprobs|max_tool_calls|score)$/

/**
 * The Python original writes every scalar of a stream's event as a string: "None", "True", "3". This gives the values back by
 * the names of their fields; a text that reads "None" or "3" stays a text.
 */
export function fromPython(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return scalar(value, name)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => fromPython(item, name))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromPython(item, key)]))
}

function scalar(text: string, name: string): unknown {
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

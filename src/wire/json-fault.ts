const BLANKS = /[ \t\n\r]*/y
const CHARS = /[ !#-[\]-\uffff]*/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4}(?=[\s\S]))/y
const SCALAR = /null|true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y

/** The place where reading stopped. */
class Fault {
  readonly at: number
  constructor(at: number) {
    this.at = at
  }
}

/**
 * Where Python's decoder says that a text stops being JSON, counted in characters as Python does: FastAPI puts it into `loc`,
 * and V8 does not always tell. For texts that `JSON.parse` refused and whose depth is bounded.
 */
export function faultOf(text: string): number {
  let at = 0
  try {
    at = skip(text, value(text, skip(text, 0)))
  } catch (fault) {
    at = fault instanceof Fault ? fault.at : text.length // deeper than can be followed
  }
  return [...text.slice(0, at)].length
}

/** Each reader gives the place behind what it read. @throws Fault */
function value(text: string, at: number): number {
  if (text[at] === '"') return string(text, at)
  if (text[at] === '{') return list(text, at, '}', member)
  if (text[at] === '[') return list(text, at, ']', value)
  return match(SCALAR, text, at) ?? fail(at)
}

function list(text: string, begin: number, close: string, entry: typeof value): number {
  let at = skip(text, begin + 1)
  if (text[at] === close) return at + 1
  for (;;) {
    at = skip(text, entry(text, at))
    if (text[at] === close) return at + 1
    if (text[at] !== ',') fail(at)
    at = skip(text, at + 1)
  }
}

function member(text: string, at: number): number {
  if (text[at] !== '"') fail(at)
  const colon = skip(text, string(text, at))
  return text[colon] === ':' ? value(text, skip(text, colon + 1)) : fail(colon)
}

function string(text: string, begin: number): number {
  for (let at = begin + 1; ; ) {
    at = match(CHARS, text, at) as number
    if (text[at] === '"') return at + 1
    if (at >= text.length) fail(begin) // it never ends
    if (text[at] !== '\\') fail(at) // a control character
    const behind = match(ESCAPE, text, at)
    if (behind === undefined) fail(at + 1 >= text.length ? begin : text[at + 1] === 'u' ? at + 1 : at)
    else at = behind
  }
}

const skip = (text: string, at: number) => match(BLANKS, text, at) as number

function match(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : undefined
}

function fail(at: number): never {
  throw new Fault(at)
}

/** Parses structured answers. */
import { parseInnerJson } from '../wire/json.ts'

/**
 * Parses the JSON of a model's answer: the whole text, or else the first code block with valid JSON, or the text between braces.
 * Many models put JSON into a code block even when told not to, some write sentences around it, think aloud before it
 * (`<think>`), or encode the object twice.
 * @throws SyntaxError for the whole text when nothing in it is valid JSON, JsonRefused when it has too many values
 */
export function readJsonAnswer(text: string): unknown {
  try {
    return parse(text)
  } catch (error) {
    for (const block of candidatesIn(afterThought(text))) {
      try {
        return parse(block)
      } catch {} // the text's own error says more
    }
    throw error
  }
}

/** The answer without the thinking before it. */
const afterThought = (text: string) => text.slice(text.lastIndexOf('</think>') + 1)

function parse(json: string): unknown {
  const value: unknown = parseInnerJson(json)
  if (typeof value !== 'string' || !value.trimStart().startsWith('{')) return value
  try {
    return parseInnerJson(value)
  } catch {
    return value
  }
}

function* candidatesIn(text: string): Generator<string> {
  yield* findBlocks(text)
  const end = Math.max(text.lastIndexOf('}'), text.lastIndexOf(']'))
  for (const start of [text.search(/[[{]/), text.indexOf('{')])
    if (start !== -1 && end > start) yield text.slice(start, end + 1)
}

/** Most code blocks of an answer that are tried. */
const MAX_BLOCKS = 8

/**
 * The possible contents of code blocks: from each fence to the next one, to the last one (the JSON may contain fences), and to the
 * end of the text (the last fence may be missing).
 */
function* findBlocks(text: string): Generator<string> {
  const opening = /(`{3,}|~{3,})[ \t]*[\w+.-]*\s*/g
  for (let count = 0; count < MAX_BLOCKS; count++) {
    const match = opening.exec(text)
    if (match === null) return
    const fence = match[1] as string
    const start = opening.lastIndex
    for (const end of [text.indexOf(fence, start), text.lastIndexOf(fence), text.length])
      if (end > start) yield text.slice(start, end)
  }
}

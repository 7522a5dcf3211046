/**
 * The JSON of a model's answer: the whole text, or else the first code block with JSON. Many models put JSON in a code block
 * although they are asked not to, some with a sentence before or after it.
 * @throws SyntaxError about the text itself when neither is JSON
 */
export function readJsonAnswer(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    for (const block of blocksIn(text)) {
      try {
        return JSON.parse(block)
      } catch {} // the text's own error says more
    }
    throw error
  }
}

/** How many code blocks of an answer are looked at. */
const MAX_BLOCKS = 8

/**
 * What stands in code blocks: from each fence to the next, to the last one (the JSON may hold fences itself), and to the end of
 * the text (the last fence may be missing).
 */
function* blocksIn(text: string): Generator<string> {
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

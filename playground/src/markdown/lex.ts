// Parses Markdown with math into tokens, within bounds that keep parsing fast for any text.
import { Marked, type Token, type TokenizerAndRendererExtension, type Tokens } from 'marked'

/** A formula in TeX. */
export interface MathToken extends Tokens.Generic {
  type: 'math'
  text: string
  /** True for a formula on its own line. */
  display: boolean
}

// A text beyond one of these bounds is shown as plain text.
/** Deepest nesting of quotes, lists and emphasis. */
const MAX_DEPTH = 60
const MAX_CHARS = 200_000
/** Most emphasis marks in one paragraph: the parser takes quadratic time to pair them. */
const MAX_MARKS = 800
const MAX_MATH_CHARS = 5_000

const PAIRS = [
  ['$$', '$$', true],
  ['\\[', '\\]', true],
  ['\\(', '\\)', false],
] as const

/** The formula at the start of the text, if there is one. */
function readMath(source: string): MathToken | undefined {
  for (const [open, close, display] of PAIRS) {
    if (!source.startsWith(open)) continue
    const end = source.indexOf(close, open.length)
    const text = source.slice(open.length, end)
    if (end === -1 || text.length > MAX_MATH_CHARS || text.trim() === '' || text.includes('\n\n')) return undefined
    return { type: 'math', raw: source.slice(0, end + close.length), text: text.trim(), display }
  }
  return source.startsWith('$') ? readDollars(source) : undefined
}

/** `$x$` by Pandoc's rule: no space inside the dollar signs, no digit after them. So "$5 and $10" stays text. */
function readDollars(source: string): MathToken | undefined {
  const end = source.indexOf('$', 1)
  const text = source.slice(1, end)
  if (end < 2 || text.length > MAX_MATH_CHARS || text.includes('\n')) return undefined
  if (text.trim() !== text || /^\d/.test(source.slice(end + 1, end + 2))) return undefined
  return { type: 'math', raw: source.slice(0, end + 1), text, display: false }
}

/** A formula on its own lines. It is a block: inside a paragraph, its lines could be parsed as lists. */
const mathBlock: TokenizerAndRendererExtension = {
  name: 'math-block',
  level: 'block',
  start: (source: string) => source.match(/^(\$\$|\\\[)/m)?.index,
  tokenizer(source: string) {
    const token = readMath(source)
    return token?.display === true && /^[^\S\n]*(\n|$)/.test(source.slice(token.raw.length)) ? token : undefined
  },
}
const math: TokenizerAndRendererExtension = {
  name: 'math',
  level: 'inline',
  start(source: string) {
    const found = ['$', '\\(', '\\['].map((open) => source.indexOf(open)).filter((index) => index !== -1)
    return found.length === 0 ? undefined : Math.min(...found)
  },
  tokenizer: readMath,
}
const marked = new Marked({ extensions: [mathBlock, math] })

/** More text can change this many of the last blocks: a paragraph becomes a heading, a list goes on after a blank line. */
const UNSETTLED = 2
/** A definition of a link changes blocks anywhere; `\r` is counted differently by the parser. */
const FAR_REACHING = /^ {0,3}\[[^\]]*\]:|\r/m

/** Parses a text that grows. Only its last blocks are parsed again, so that a long answer costs no more than a short one. */
export function createLexer(): typeof lexMarkdown {
  let settled: { text: string; blocks: Token[] } = { text: '', blocks: [] }
  return (text) => {
    if (text.length > MAX_CHARS) return undefined
    if (!text.startsWith(settled.text)) settled = { text: '', blocks: [] }
    const rest = text.slice(settled.text.length)
    if (FAR_REACHING.test(rest)) return lexMarkdown(text)
    const fresh = lexMarkdown(rest)
    if (fresh === undefined) return lexMarkdown(text)
    const blocks = [...settled.blocks, ...fresh]
    const ends = fresh.flatMap(({ type }, index) => (type === 'space' ? [] : [index]))
    const end = ends.at(-UNSETTLED - 1)
    if (end === undefined) return blocks
    // A block that is settled ends with the blank lines after it.
    const done = fresh.slice(0, ends.at(-UNSETTLED) ?? end + 1)
    settled = { text: settled.text + done.map(({ raw }) => raw).join(''), blocks: [...settled.blocks, ...done] }
    return blocks
  }
}

/** Parses a text into blocks; undefined when it must be shown as plain text. */
export function lexMarkdown(text: string): Token[] | undefined {
  if (text.length > MAX_CHARS || hasTooManyMarks(text)) return undefined
  try {
    const blocks = marked.lexer(text)
    return isTooDeep(blocks) ? undefined : blocks
  } catch {
    return undefined // nested too deeply for the parser
  }
}

/** True when a paragraph has too many emphasis marks to pair. */
function hasTooManyMarks(text: string): boolean {
  let marks = 0
  let last = ''
  for (const char of text) {
    if (char === '\n' && last === '\n') marks = 0
    if ((char === '*' || char === '_' || char === '~') && char !== last && ++marks > MAX_MARKS) return true
    last = char
  }
  return false
}

function isTooDeep(blocks: readonly Token[]): boolean {
  let level = blocks
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true
    level = level.flatMap(partsOf)
  }
  return false
}

function partsOf(token: Token): Token[] {
  if (token.type === 'list') return (token as Tokens.List).items
  if (token.type !== 'table') return ('tokens' in token && token.tokens) || []
  const { header, rows } = token as Tokens.Table
  return [...header, ...rows.flat()].flatMap((cell) => cell.tokens)
}

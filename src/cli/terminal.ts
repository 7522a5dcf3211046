import { stripVTControlCharacters, styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Where a command writes: results to stdout, everything about them to stderr. */
export interface Terminal {
  /** True when a person reads and types. */
  readonly interactive: boolean
  /** A result, without what a terminal would obey. */
  out(text: string): void
  /** A line for the person who runs the command. */
  note(line: string): void
  /** Colours for `note`; plain text where stderr is no terminal or NO_COLOR is set. */
  paint(style: Style, text: string): string
  /** Shows what is going on when `work` takes longer than a second. */
  during<T>(label: string, work: Promise<T>): Promise<T>
}

const PATIENCE_MS = 1000
const FRAME_MS = 100
const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'

export function createTerminal(): Terminal {
  const { stdin, stdout, stderr } = process
  const paint = (style: Style, text: string) => styleText(style, text, { stream: stderr })
  const note = (line: string) => void stderr.write(`${line}\n`)

  const during = async <T>(label: string, work: Promise<T>): Promise<T> => {
    let spinning: NodeJS.Timeout | undefined
    let frame = 0
    const begin = () => {
      if (!stderr.isTTY) return note(`${label} ...`)
      spinning = setInterval(() => {
        stderr.write(`\r${FRAMES[frame++ % FRAMES.length]} ${label} `)
      }, FRAME_MS)
    }
    const patience = setTimeout(begin, PATIENCE_MS)
    try {
      return await work
    } finally {
      clearTimeout(patience)
      clearInterval(spinning)
      if (frame > 0) stderr.write('\r\u001b[K')
    }
  }
  return {
    interactive: stdin.isTTY === true && stdout.isTTY === true,
    out: (text) => void stdout.write(harmless(text)),
    note,
    paint,
    during,
  }
}

/** Control characters but for line ends and tabs, and those that turn the direction of writing. */
const OBEYED = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** Text from a model or server without what a terminal would obey. */
export const harmless = (text: string): string => stripVTControlCharacters(text).replace(OBEYED, '')

/** A value as JSON in which those characters are escaped: nothing of it is lost on the way through `harmless`. */
export const toJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** On one line, at most `width` columns or so. */
export function oneLine(text: string, width: number): string {
  const line = harmless(text).replace(/\s+/g, ' ').trim()
  return line.length > width ? `${line.slice(0, Math.max(1, width - 1))}…` : line
}

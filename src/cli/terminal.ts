/** The terminal: output, colours and a progress label. */
import { stripVTControlCharacters, styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** The output of a command: results go to stdout, notes to stderr. */
export interface Terminal {
  /** True when stdin and stdout are terminals. */
  readonly interactive: boolean
  /** Writes a result, without control characters. */
  out(text: string): void
  /** Writes a line for the person who runs the command. */
  note(line: string): void
  /** Colours a text for `note`; plain when stderr is not a terminal or NO_COLOR is set. */
  paint(style: Style, text: string): string
  /** Awaits `work`, and shows the label when it takes longer than a second. */
  during<T>(label: string, work: Promise<T>): Promise<T>
}

const LABEL_DELAY_MS = 1000
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
    const delay = setTimeout(begin, LABEL_DELAY_MS)
    try {
      return await work
    } finally {
      clearTimeout(delay)
      clearInterval(spinning)
      if (frame > 0) stderr.write('\r\u001b[K')
    }
  }
  return {
    interactive: stdin.isTTY === true && stdout.isTTY === true,
    out: (text) => void stdout.write(stripControls(text)),
    note,
    paint,
    during,
  }
}

/** Control characters except line ends and tabs, and characters that change the direction of text. */
const CONTROLS = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** Text from a model or server without characters that control a terminal. */
export const stripControls = (text: string): string => stripVTControlCharacters(text).replace(CONTROLS, '')

/** A value as JSON with these characters escaped, so that `stripControls` removes nothing from it. */
export const toJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** The text on one line of about `width` columns. */
export function oneLine(text: string, width: number): string {
  const line = stripControls(text).replace(/\s+/g, ' ').trim()
  return line.length > width ? `${line.slice(0, Math.max(1, width - 1))}…` : line
}

/** TypeScript source as text: names, literals, lists and objects over several lines. */

/** Stands for a line end inside a literal, which indentation must not touch. */
const LINE_END = '\u0000'
/** Longest line of a list or object, in characters. */
const MAX_LINE = 110

const RESERVED = new Set(
  `break case catch class const continue debugger default delete do else enum export extends false finally for function if import in
  instanceof new null return super switch this throw true try typeof var void while with yield let static implements interface package
  private protected public await async arguments eval undefined process console
  Agency Agent BaseTool Handoff SendMessage tool flow model z serve ServeOptions webSearch fileSearch codeInterpreter imageGeneration
  hostedMcp persistentShell pythonInterpreter loadFileAttachment presentFiles InputGuardrail OutputGuardrail RunHooks`.split(
    /\s+/,
  ),
)

/** `find_order` -> `findOrder`; names of classes and constants stay as they are. */
export function toName(python: string): string {
  const constant = /^_*[A-Z][A-Z0-9_]*$/.test(python)
  const name = constant ? python : toCamel(python)
  return RESERVED.has(name) ? `${name}_` : name
}
export const toCamel = (python: string): string =>
  python.replace(/(?<=[A-Za-z0-9])_+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** A string literal; over several lines as a template literal. */
export const quote = (text: string): string => (text.includes('\n') ? `\`${escapeTemplate(text)}\`` : quoteLine(text))

function quoteLine(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'"
  return `${mark}${escapeQuoted(text, mark)}${mark}`
}

const escapeQuoted = (text: string, mark: string) =>
  text
    .replaceAll('\\', '\\\\')
    .replaceAll(mark, `\\${mark}`)
    .replace(/\r/g, '\\r')
    .replace(/[^\P{Cc}\t]/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)

/** The text as it stands inside a template literal. */
export const escapeTemplate = (text: string): string =>
  text
    .replace(/[\\`]|\$(?=\{)/g, '\\$&')
    .replace(/\r/g, '\\r')
    .replaceAll('\n', LINE_END)

const property = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name))

/** An object of these properties; `undefined` values are left out, and a text that begins with `//` is a comment. */
export function writeObject(entries: readonly (readonly [name: string, text: string | undefined])[]): string {
  const parts = entries.flatMap(([name, text]) => {
    if (text === undefined) return []
    if (text.startsWith('//')) return [text]
    return [text === name ? text : `${property(name)}: ${text}`]
  })
  return bracket('{', parts, '}')
}
export const writeList = (parts: readonly string[]): string => bracket('[', parts, ']')

function bracket(open: string, parts: readonly string[], close: string): string {
  if (parts.length === 0) return `${open}${close}`
  const gap = open === '{' ? ' ' : ''
  const line = `${open}${gap}${parts.join(', ')}${gap}${close}`
  if (line.length <= MAX_LINE && !/\n|^\/\/|, \/\//.test(line.slice(gap.length + 1))) return line
  return `${open}\n${parts.map((part) => indent(part.startsWith('//') ? part : `${part},`)).join('\n')}\n${close}`
}

export const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ')
/** Python as a comment. */
export const comment = (python: string): string => python.replace(/^.*$/gm, (line) => `// ${line}`.trimEnd())
/** The finished text of a file. */
export const finish = (text: string): string => text.replaceAll(LINE_END, '\n')

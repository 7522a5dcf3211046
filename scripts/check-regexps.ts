// Finds regular expressions that take more than linear time for some text, in what is published.
//   node scripts/check-regexps.ts [folder or file ...]     default: dist
// Every literal and every `new RegExp` of constants is judged by recheck. For an expression that is put together at run time a
// sample in `MADE_AT_RUN_TIME` is judged in its place.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { check } from 'recheck'
import { parseAst } from 'rolldown/parseAst'

/** A file -> what comes out of each expression that it puts together at run time, in their order. */
const MADE_AT_RUN_TIME: { readonly [file: string]: readonly RegExp[] } = {
  'dist/cli/port/schemas.js': [/made/u], // to see whether JavaScript accepts it: no text is searched with it
  'dist/messages/names.js': [/[^a-zA-Z0-9_-]/, /[^a-zA-Z0-9_-]/g],
  'dist/models/demo/choice.js': [/\bMy Agent.x\b/i, /- My Agent.x: .*/],
  'dist/testing/evals/dataset.js': [/^It is/], // what the author of an eval writes, searched in answers to it
  'dist/tools/portable-pattern.js': [/made/u], // to see whether it can be made: no text is searched with it
  'dist/wire/json-meter.js': [/"(?:_|\\u005[fF])(?:p|\\u0070)(?:r|\\u0072)"\s*:/],
  'dist/wire/redact.js': [/(?<![\w./:-])(?:\/srv\/my\.app|\/home\/me)(?![\w.-])/g],
}

/** One expression takes recheck well under a second; this is for a busy machine. */
const TIMEOUT_MS = 60_000

interface Found {
  line: number
  /** Undefined for what is put together at run time. */
  source: string | undefined
  flags: string
  /** As it is written. */
  text: string
}
/** A node of ESTree, as far as it is looked at. */
interface Node {
  type: string
  start: number
  end: number
  // biome-ignore lint/suspicious/noExplicitAny: each kind of node has fields of its own
  [field: string]: any
}

/** All regular expressions of a program, in their order. */
export function findRegExps(code: string): Found[] {
  const program = parseAst(code)
  const constantOf = createReader(program)
  const found: Found[] = []
  const add = (node: Node, source: string | undefined, flags = '') => {
    const line = code.slice(0, node.start).split('\n').length
    found.push({ line, source, flags, text: code.slice(node.start, node.end) })
  }
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const one of node) visit(one)
    if (!isNode(node)) return
    if (node.type === 'Literal' && node.regex !== undefined) add(node, node.regex.pattern, node.regex.flags)
    if (isRegExpCall(node)) {
      const [pattern, flags] = node.arguments
      // A copy of a literal is found where the literal stands.
      if (pattern?.regex === undefined) add(node, constantOf(pattern), constantOf(flags) ?? '')
    }
    for (const child of Object.values(node)) visit(child)
  }
  visit(program)
  return found
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
const isRegExpCall = ({ type, callee }: Node) =>
  (type === 'NewExpression' || type === 'CallExpression') && callee?.type === 'Identifier' && callee.name === 'RegExp'

/**
 * A function that gives the text of an expression that is the same at every run, also one of constants of the module; undefined
 * for any other.
 */
function createReader(program: Node): (node: Node | undefined) => string | undefined {
  const constants = new Map<string, Node>()
  for (const { type, kind, declarations } of program.body as Node[])
    if (type === 'VariableDeclaration' && kind === 'const')
      for (const { id, init } of declarations) if (id.type === 'Identifier') constants.set(id.name, init)
  const readTemplate = ({ quasis, expressions }: Node, form: 'cooked' | 'raw'): string | undefined => {
    const values: (string | undefined)[] = expressions.map(read)
    return values.includes(undefined)
      ? undefined
      : quasis.map(({ value }: Node, index: number) => value[form] + (values[index] ?? '')).join('')
  }
  function read(node: Node | undefined): string | undefined {
    switch (node?.type) {
      case 'Literal':
        return typeof node.value === 'string' ? node.value : undefined
      case 'Identifier':
        return read(constants.get(node.name))
      case 'TemplateLiteral':
        return readTemplate(node, 'cooked')
      case 'TaggedTemplateExpression':
        return isStringRaw(node.tag) ? readTemplate(node.quasi, 'raw') : undefined
      case 'BinaryExpression': {
        const [left, right] = [read(node.left), read(node.right)]
        return node.operator === '+' && left !== undefined && right !== undefined ? left + right : undefined
      }
      default:
        return undefined
    }
  }
  return read
}

const isStringRaw = ({ object, property }: Node) => object?.name === 'String' && property?.name === 'raw'

/** What is wrong with an expression; undefined for one that takes linear time. */
async function judge({ source, flags }: Pick<RegExp, 'source' | 'flags'>): Promise<string | undefined> {
  const found = await check(source, flags, { timeout: TIMEOUT_MS, randomSeed: 1 })
  if (found.status === 'safe') return undefined
  if (found.status === 'unknown') return `could not be judged (${found.error.kind})`
  // What recheck cannot prove (lookaround, back-references) it guesses by trying; a guess counts when it comes true here.
  const isGuess = found.checker === 'fuzz' && found.complexity.type === 'polynomial'
  if (isGuess && !isSlow(new RegExp(source, flags), found.attack)) return undefined
  return `takes ${found.complexity.type} time, for instance for ${found.attack.pattern}`
}

type Attack = { pumps: { prefix: string; pump: string }[]; suffix: string }
const TIMES = 5_000

/** True when four times the attack takes clearly more than four times as long (quadratic: 16), and far longer than plain text. */
function isSlow(regexp: RegExp, { pumps, suffix }: Attack): boolean {
  const attack = (times: number) => pumps.map(({ prefix, pump }) => prefix + pump.repeat(times)).join('') + suffix
  /** The least of five tries: what else the machine does comes on top. */
  const msOf = (text: string) =>
    Math.min(
      ...[1, 2, 3, 4, 5].map(() => {
        const began = performance.now()
        text.replace(regexp, '')
        return performance.now() - began
      }),
    )
  const long = attack(4 * TIMES)
  const plain = msOf('word '.repeat(long.length / 5))
  const [short, most] = [msOf(attack(TIMES)), msOf(long)]
  return most > 6 * short && most > 30 * plain
}

/** Sentences about the regular expressions of files that are not linear, and how many were looked at. */
export async function checkFiles(
  files: readonly string[],
  root: string,
): Promise<{ problems: string[]; count: number }> {
  const problems: string[] = []
  let count = 0
  for (const file of files) {
    const name = relative(root, file)
    const samples = [...(MADE_AT_RUN_TIME[name] ?? [])]
    for (const { line, text, source, flags } of findRegExps(readFileSync(file, 'utf8'))) {
      count++
      const expression = source === undefined ? samples.shift() : { source, flags }
      const problem =
        expression === undefined ? 'is put together at run time: add a sample to this script' : await judge(expression)
      if (problem !== undefined) problems.push(`${name}:${line} ${text} ${problem}`)
    }
    if (samples.length > 0) problems.push(`${name} makes fewer expressions at run time than there are samples`)
  }
  return { problems, count }
}

const SCRIPT = /^\.[cm]?js$/
const scriptsIn = (path: string): string[] =>
  statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: 'utf8' })
        .map((file) => join(path, file))
        .filter((file) => SCRIPT.test(extname(file)))
    : [path]

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const named = process.argv.slice(2)
  const files = (named.length > 0 ? named : [join(root, 'dist')]).flatMap(scriptsIn)
  const { problems, count } = await checkFiles(files, root)
  for (const problem of problems) console.error(problem)
  console.log(`${count} regular expressions in ${files.length} files, ${problems.length} to mend`)
  process.exitCode = problems.length === 0 && count > 0 ? 0 : 1
}

/** Reads Python source files: their syntax trees, from the `ast` module of the machine's Python. Nothing in them is run. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { noPython, pythonFailed } from '../errors.ts'

/** Line and column (in bytes) of the first and behind the last character; lines count from 1, columns from 0. */
type Span = readonly [line: number, column: number, endLine: number, endColumn: number]
interface Located {
  span: Span
}

export interface Keyword {
  /** null for `**more`. */
  arg: string | null
  value: Expression
}
export interface Call extends Located {
  type: 'Call'
  func: Expression
  args: Expression[]
  keywords: Keyword[]
}
export type Expression = Located &
  (
    | { type: 'Constant'; value: string | number | boolean | null }
    | { type: 'Name'; id: string }
    | { type: 'Attribute'; value: Expression; attr: string }
    | Call
    | { type: 'List' | 'Tuple' | 'Set'; elts: Expression[] }
    | { type: 'Dict'; keys: (Expression | null)[]; values: Expression[] }
    | { type: 'JoinedStr'; values: Expression[] }
    | { type: 'FormattedValue'; value: Expression; format_spec: Expression | null; conversion: number }
    | { type: 'BinOp'; left: Expression; op: { type: string }; right: Expression }
    | { type: 'BoolOp'; op: { type: string }; values: Expression[] }
    | { type: 'UnaryOp'; op: { type: string }; operand: Expression }
    | { type: 'Compare'; left: Expression; ops: { type: string }[]; comparators: Expression[] }
    | { type: 'Subscript'; value: Expression; slice: Expression }
    | { type: 'Starred' | 'Await'; value: Expression }
    | { type: 'Lambda' | 'Other' }
  )

export interface Argument extends Located {
  arg: string
  annotation: Expression | null
}
export interface Arguments {
  posonlyargs: Argument[]
  args: Argument[]
  kwonlyargs: Argument[]
  defaults: Expression[]
  kw_defaults: (Expression | null)[]
  vararg: Argument | null
  kwarg: Argument | null
}
export interface FunctionDef extends Located {
  type: 'FunctionDef' | 'AsyncFunctionDef'
  name: string
  args: Arguments
  body: Statement[]
  decorator_list: Expression[]
  returns: Expression | null
}
export interface ClassDef extends Located {
  type: 'ClassDef'
  name: string
  bases: Expression[]
  body: Statement[]
  decorator_list: Expression[]
}
export type Statement = Located &
  (
    | FunctionDef
    | ClassDef
    | { type: 'Assign'; targets: Expression[]; value: Expression }
    | { type: 'AnnAssign'; target: Expression; annotation: Expression; value: Expression | null }
    | { type: 'Import'; names: { name: string; asname: string | null }[] }
    | { type: 'ImportFrom'; module: string | null; names: { name: string; asname: string | null }[]; level: number }
    | { type: 'Return'; value: Expression | null }
    | { type: 'Expr'; value: Expression }
    | { type: 'If'; test: Expression; body: Statement[]; orelse: Statement[] }
    | { type: 'With' | 'AsyncWith' | 'For' | 'While'; body: Statement[]; orelse?: Statement[] }
    | {
        type: 'Try'
        body: Statement[]
        orelse: Statement[]
        finalbody: Statement[]
        handlers: { body: Statement[] }[]
      }
    | { type: 'Pass' | 'Raise' | 'AugAssign' | 'Delete' }
  )

/** One parsed file. */
export interface PythonSource {
  body: Statement[]
  /** The source text of a node. */
  textOf(node: Located): string
}

const SCRIPT = fileURLToPath(new URL('../../../assets/port/syntax.py', import.meta.url))
/** How Python is called on Linux and macOS, and on Windows. */
const PYTHONS: readonly (readonly [command: string, ...args: string[]])[] =
  process.platform === 'win32' ? [['py', '-3'], ['python']] : [['python3'], ['python']]
/** Files read by one process. */
const BATCH = 100

/**
 * Parses the files, in the order of their paths. A file that cannot be parsed gives the reason.
 * @throws CommandError when the machine has no Python 3.8 or newer
 */
export async function readPython(paths: readonly string[]): Promise<(PythonSource | { problem: string })[]> {
  const read: (PythonSource | { problem: string })[] = []
  for (let at = 0; at < paths.length; at += BATCH) {
    const batch = paths.slice(at, at + BATCH)
    const trees: ({ body: Statement[] } | { problem: string })[] = JSON.parse(await runScript(JSON.stringify(batch)))
    read.push(...trees.map((tree, index) => ('problem' in tree ? tree : withText(tree.body, batch[index] as string))))
  }
  return read
}

function withText(body: Statement[], path: string): PythonSource {
  const lines = readFileSync(path, 'utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
  const bytes = (line: number) => Buffer.from(lines[line - 1] ?? '')
  return {
    body,
    textOf({ span: [line, column, endLine, endColumn] }) {
      if (line === endLine) return bytes(line).subarray(column, endColumn).toString()
      const between = lines.slice(line, endLine - 1)
      return [bytes(line).subarray(column), ...between, bytes(endLine).subarray(0, endColumn)].join('\n')
    },
  }
}

async function runScript(input: string): Promise<string> {
  for (const [command, ...args] of PYTHONS) {
    // -I: no module beside the script or named by the environment can stand in for one of Python's own.
    const child = spawn(command, [...args, '-I', '-X', 'utf8', SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => {}) // a process that could not start or ended early: its exit code says so
    child.stdin.end(input)
    try {
      const [output, problem, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ])
      if (code === 0) return output
      throw pythonFailed(command, problem.trim().split('\n').at(-1) ?? '')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw noPython()
}

/** What the tools that run code have in common: options, sessions per run and agent, and the text for the model. */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { MAX_MS } from '../../base/limits.ts'
import { refuseUnknown } from '../../base/options.ts'
import { invalidOption } from '../../base/start-errors.ts'
import { tool } from '../define.ts'
import { keepForRun } from '../run-end.ts'
import type { FunctionTool, ToolContext } from '../tool.ts'
import { type Interpreter, type Outcome, Session, type SessionLimits } from './session.ts'

/** Options of the tools that run code: `persistentShell()`, `pythonInterpreter()`, `javascriptInterpreter()`. */
export interface InterpreterOptions {
  /** The name of the tool. @default that of the Python original */
  name?: string | undefined
  /** The folder where code starts. It is no fence: code may leave it. @default the working directory */
  folder?: string | undefined
  /** How long one call may run, in milliseconds. @default 60_000 */
  timeoutMs?: number | undefined
  /** The memory that the process and everything it started may use, in bytes. @default 536_870_912 (512 MiB) */
  memoryBytes?: number | undefined
  /** How much of each output of a call the model gets, in bytes; the middle is left out. @default 65_536 */
  outputBytes?: number | undefined
  /** Variables for the process, beside PATH, HOME and the like: keys of the server are not passed on. @default {} */
  env?: { readonly [name: string]: string } | undefined
  /** Sessions that may live at the same time. @default 50 */
  maxSessions?: number | undefined
}

const OPTIONS = new Set<string>([
  'name',
  'folder',
  'timeoutMs',
  'memoryBytes',
  'outputBytes',
  'env',
  'maxSessions',
] satisfies (keyof InterpreterOptions)[])

/** What differs between these tools. */
export interface InterpreterKind {
  /** The function that creates the tool, for error texts. */
  maker: string
  name: string
  description: string
  /** The argument with the code, and what it says of itself. */
  argument: string
  explanation: string
  /** Options that only this tool has. */
  more?: readonly string[]
  create(limits: SessionLimits): Interpreter
  /** The text for the model. */
  tell(outcome: Outcome & { kind: 'answered' }): string
}

/** Names of variables that a program needs to run, and that hold no secrets. */
const PASSED =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|SystemRoot|ComSpec|PATHEXT|USERPROFILE|VIRTUAL_ENV|PYENV_ROOT)$/i

/** Creates a tool that runs code in a session: one for each run and agent. @throws INVALID_OPTION */
export function interpreterTool(kind: InterpreterKind, options: InterpreterOptions): FunctionTool {
  const { name = kind.name, maxSessions = 50, folder = '.', env = {} } = options
  const limits = readLimits(kind, options)
  const start = () =>
    new Session({
      interpreter: kind.create(limits),
      limits,
      folder: resolve(folder),
      env: { ...Object.fromEntries(Object.entries(process.env).filter(([key]) => PASSED.test(key))), ...env },
    })
  const sessions = createSessions(start, maxSessions)
  return tool({
    name,
    description: kind.description,
    parameters: z.object({ [kind.argument]: z.string().describe(kind.explanation) }),
    execute: async (input, context) => {
      const open = sessions.of(context)
      if (open === undefined) return `Error: ${maxSessions} sessions of this tool are running. Try again later.`
      try {
        const outcome = await open.run(String(input[kind.argument]))
        return outcome.kind === 'answered' ? kind.tell(outcome) : tellEnd(outcome)
      } finally {
        if (context.currentAgentName === null) open.end('the call is over')
      }
    },
  })
}

function readLimits(kind: InterpreterKind, options: InterpreterOptions): SessionLimits {
  refuseUnknown(`${kind.maker}()`, options, new Set([...OPTIONS, ...(kind.more ?? [])]))
  const { timeoutMs = 60_000, memoryBytes = 512 * 1024 * 1024, outputBytes = 64 * 1024, maxSessions = 50 } = options
  for (const [name, value] of Object.entries({ timeoutMs, memoryBytes, outputBytes, maxSessions }))
    if (!(Number.isInteger(value) && value >= 1))
      throw invalidOption(`${name} of ${kind.maker}() must be a whole number of 1 or more, not ${value}.`)
  if (timeoutMs > MAX_MS) throw invalidOption(`timeoutMs of ${kind.maker}() must be at most ${MAX_MS}.`)
  const { folder = '.' } = options
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw invalidOption(
      `folder of ${kind.maker}() is "${folder}", which is not a folder. Create it, or correct the path.`,
    )
  return { timeoutMs, memoryBytes, outputBytes }
}

/** The sessions of one tool: code of one agent in one run finds what it left behind. */
function createSessions(start: () => Session, maxSessions: number) {
  const runs = new WeakMap<AbortSignal, Map<string | null, Session>>()
  const living = new Set<Session>()
  return {
    /** Undefined when there are too many. */
    of({ signal, currentAgentName }: ToolContext): Session | undefined {
      const run = runs.get(signal) ?? new Map<string | null, Session>()
      runs.set(signal, run)
      const known = run.get(currentAgentName)
      if (known !== undefined && known.ended === undefined) return known
      for (const session of living) if (session.ended !== undefined) living.delete(session)
      if (living.size >= maxSessions) return undefined
      const session = start()
      living.add(session)
      run.set(currentAgentName, session)
      keepForRun(signal, () => session.end('the run is over'))
      return session
    },
  }
}

const tellEnd = ({ reason, out, err }: Outcome & { kind: 'ended' }): string =>
  joinParts([
    `Error: the code was stopped: ${reason}. The session has ended with everything in it; the next call starts a new one.`,
    section('Output so far', out),
    section('Errors so far', err),
  ])

/** Parts of a text for the model, without the empty ones. */
export const joinParts = (parts: readonly string[]): string => parts.filter((part) => part !== '').join('\n\n')
export const section = (title: string, text: string): string =>
  text.trim() === '' ? '' : `${title}:\n${text.trimEnd()}`

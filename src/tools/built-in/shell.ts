/** `persistentShell()`: commands in a shell that keeps its folder and variables. */
import type { FunctionTool } from '../tool.ts'
import { type InterpreterOptions, interpreterTool, joinParts, section } from './interpreter-tool.ts'

/** Options of `persistentShell()`. */
export interface ShellOptions extends InterpreterOptions {
  /** The shell: bash, or one that knows its options. @default 'bash' */
  command?: string | undefined
}

/**
 * Creates a tool that runs commands in bash, with the rights of this process. Working folder, variables and functions stay from
 * call to call; each agent has a shell of its own in each run, which ends with the run. Not for Windows.
 * @throws INVALID_OPTION
 */
export const persistentShell = ({ command = 'bash', ...options }: ShellOptions = {}): FunctionTool =>
  interpreterTool(
    {
      maker: 'persistentShell',
      name: 'PersistentShellTool',
      description:
        'Runs commands in a bash shell on the server. The working folder, variables and functions stay from call to call. Commands cannot read input.',
      argument: 'command',
      explanation: 'The command, such as "ls -la". It may have several lines.',
      create: () => ({
        command,
        args: ['--noprofile', '--norc'],
        reads: 0,
        encode,
        missing: 'Install bash, or name another shell in the option command.',
      }),
      tell({ reply, out, err }) {
        const [status = '', folder = ''] = reply.trimEnd().split('\t')
        return joinParts([
          out.trimEnd(),
          section('Errors', err),
          status === '0' ? '' : `Exit code: ${status}`,
          `Working folder: ${folder}`,
        ])
      },
    },
    options,
  )

/** The command reads nothing, and does not get the pipe for answers. */
const encode = (code: string, mark: string): string =>
  `eval ${quote(code)} </dev/null 4>&-
{ printf '%s\\t%s\\n' "$?" "$PWD" >&4; } 2>/dev/null
printf ${mark}
printf ${mark} >&2
`

const quote = (text: string): string => `'${text.replaceAll('\0', '').replaceAll("'", `'\\''`)}'`

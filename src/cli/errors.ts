/** Every error of the command line: texts and exit codes. */
/** A failure of a command, with a text that names the remedy. `exitCode` is 1 for a failure, 2 for wrong usage. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: 1 | 2
  constructor(message: string, options?: ErrorOptions & { exitCode?: 1 | 2 }) {
    super(message, options)
    this.exitCode = options?.exitCode ?? 1
  }
}

const usage = (message: string) => new CommandError(message, { exitCode: 2 })

// ---- usage
export const unknownCommand = (name: string, nearest: string | undefined) =>
  usage(
    `There is no command "${name}".${nearest === undefined ? '' : ` Did you mean "${nearest}"?`} See: agency-swarm-js --help`,
  )
export const wrongArguments = (reason: string, command: string) =>
  usage(`${reason} See: agency-swarm-js ${command} --help`)

export const unknownAction = (typed: string, known: readonly string[]) =>
  wrongArguments(`"runs" takes one of ${known.join(', ')}${typed === '' ? '' : `, not "${typed}"`}.`, 'runs')
export const notANumber = (option: string, typed: string, command: string) =>
  wrongArguments(`${option} must be a whole number, not "${typed}".`, command)

export const outOfRange = (option: string, typed: string, most: number) =>
  wrongArguments(`${option} must be a whole number from 1 to ${most}, not "${typed}".`, 'drill')
export const drillNeedsYes = (server: string, agency: string, runs: number) =>
  usage(
    `The drill would start ${runs} runs of "${agency}" on ${server}, and remove them at its end. Add --yes to start it. See: agency-swarm-js drill --help`,
  )

const PORTS = 'a whole number from 0 to 65535'
export const wrongPort = (typed: string, command: string, option = '--port') =>
  wrongArguments(`${option} must be ${PORTS}, not "${typed}".`, command)
export const wrongPortVariable = (value: string) =>
  new CommandError(`PORT in the environment or in .env must be ${PORTS}, not "${value}".`)

export const wrongWorkers = (typed: string) =>
  wrongArguments(`--workers must be "auto" or a whole number from 1 to 256, not "${typed}".`, 'serve')

export const unknownCode = (typed: string, known: readonly string[]) =>
  usage(`There is no error code "${typed}". Error codes: ${known.join(', ')}.`)

export const nodeTooOld = (version: string, wanted: string) =>
  new CommandError(`Node ${version} is too old for agency-swarm-js. Install Node ${wanted} or newer.`)

// ---- projects
export const noProject = (tried: readonly string[]) =>
  new CommandError(
    `There is no ${tried[0]} in this folder. Pass the name of the file that exports your agency, or create a project: npx agency-swarm-js init`,
  )
export const unreadableSettings = (file: string, reason: string, cause: unknown) =>
  new CommandError(`${file} does not hold the settings of assistants: ${reason}`, { cause })
export const noFile = (file: string) => new CommandError(`There is no file ${file}.`)
export const cannotLoad = (file: string, reason: string, cause: unknown) =>
  new CommandError(`${file} cannot be loaded: ${reason} (DEBUG=1 shows the stack.)`, { cause })
/** @param declared true when package.json lists the package */
export const notInstalled = (file: string, missing: string, declared: boolean, cause: unknown) =>
  new CommandError(
    `${file} needs the package ${missing}, which is not installed. Run: npm install${declared ? '' : ` ${missing}`}`,
    { cause },
  )
export const nothingExported = (file: string) =>
  new CommandError(
    `${file} exports nothing to serve. Export "agency", or "agencies" and "tools", or the options of serve() as the default export. If the file calls serve() itself, run: node ${file}`,
  )
export const noStore = (file: string) =>
  new CommandError(
    `${file} has no store: its default export needs runs: { store: postgres(url) }. Or name a database with --url.`,
  )
export const unknownAgency = (name: string, known: readonly string[]) =>
  new CommandError(`There is no agency "${name}". Agencies: ${known.join(', ')}.`)

export const cannotWatch = (folder: string, cause: unknown) =>
  new CommandError(
    `${folder} cannot be watched (${readMessage(cause)}). Use "serve" instead of "dev", or raise the limit of watched files of your system.`,
    { cause },
  )

// ---- files
export const cannotReadEnv = (reason: string, cause: unknown) =>
  new CommandError(`.env cannot be read: ${reason}. Save it as UTF-8 text, or delete it.`, { cause })
export const cannotWrite = (file: string, cause: unknown) =>
  new CommandError(
    isMissing(cause)
      ? `${file} cannot be written: its folder does not exist. Create the folder, or choose another file.`
      : `${file} cannot be written (${readMessage(cause)}).`,
    { cause },
  )
const isMissing = (error: unknown) => (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'

// ---- init
export const filesExist = (files: readonly string[], folder: string) =>
  new CommandError(
    `${folder} already has ${files.join(', ')}. Nothing was written; --force overwrites ${files.length === 1 ? 'it' : 'them'}.`,
  )
export const installFailed = (folder: string, output: string) =>
  new CommandError(
    `The files were written, but npm install failed in ${folder}: ${output}. Check the network and the settings of npm, then run: ${folder === '.' ? '' : `cd ${folder} && `}npm install && npm start`,
  )
export const cannotPack = (folder: string, output: string) =>
  new CommandError(
    `The files were written to ${folder}, but this copy of the package could not be packed: ${output}. Run npm pack in the folder of the package, and set the path in package.json: "agency-swarm-js": "file:..."`,
  )

export const unknownTemplate = (typed: string, known: readonly string[]) =>
  usage(`There is no template "${typed}". Templates: ${known.join(', ')}.`)

// ---- port
export const noPython = () =>
  new CommandError(
    'There is no Python on this machine. "port" reads the syntax of Python files with it, and runs none of them. Install Python 3.8 or newer (https://www.python.org/downloads), so that python3 can be called.',
  )
export const pythonFailed = (command: string, output: string) =>
  new CommandError(
    `${command} could not read the files: ${output}. Install Python 3.8 or newer, so that python3 can be called.`,
  )
export const noPythonFile = () => usage('Name the Python file that defines or serves the agency: port agency.py')
export const notPython = (file: string) =>
  usage(`"${file}" is not a Python file. Name the one that defines or serves the agency.`)
export const cannotParse = (file: string, reason: string) =>
  new CommandError(`${file} is not valid Python: ${reason}. Correct it, or use a Python version that accepts it.`)
export const nothingToPort = (file: string) =>
  new CommandError(
    `${file} and the files that it imports create no agency and no agent. Name the file that calls Agency(...) or run_fastapi(...).`,
  )
export const tooManyModules = (limit: number) =>
  new CommandError(`The agency imports more than ${limit} files. Name a file that imports fewer.`)

// ---- servers
export const noAgencies = (name: string) => new CommandError(`${name} lists no agencies. Select one with --agency.`)
export const severalAgencies = (known: readonly string[]) =>
  new CommandError(`There are several agencies: ${known.join(', ')}. Select one with --agency.`)
export const cannotReach = (name: string, cause: Error) =>
  new CommandError(`${name}: ${cause.message} To start a server, run: agency-swarm-js serve`, { cause })
export const needsToken = (name: string, cause: Error) =>
  new CommandError(`${name} needs a token (${cause.message}). Set APP_TOKEN in the environment or in .env.`, { cause })
export const rejectsToken = (name: string, cause: Error) =>
  new CommandError(
    `${name} rejects the token in APP_TOKEN (${cause.message}). Set APP_TOKEN to the token of the server, in the environment or in .env; the environment takes precedence.`,
    { cause },
  )

// ---- eval
export const noEvals = (folder: string) =>
  new CommandError(`There are no evals in ${folder}. Pass the files of evals: agency-swarm-js eval evals/*.ts`)
export const notAnEval = (file: string, reason: string) => new CommandError(`${file} is not an eval: ${reason}`)

// ---- record
/** @param reason its status, or why it cannot be read */
export const notRecordable = (runId: string, reason: string) =>
  new CommandError(
    `Run ${runId} cannot be recorded: it is ${reason}. Only completed runs that the server keeps can be recorded; give the run's agency with --agency, and the token of its owner.`,
  )

/** The text of an error for the person who runs the program: with the cause, which callers of a server do not see. */
export function describeError(error: unknown): string {
  const { name, cause } = error instanceof Error ? error : { name: '', cause: undefined }
  const reason = name === 'AgencyError' && cause instanceof Error ? ` (${cause.message})` : ''
  return `${readMessage(error)}${reason}`
}

const readMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error))

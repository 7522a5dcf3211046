/** A failure of a command: one sentence that names the way out. `exitCode` 1 means it failed, 2 that it was asked wrongly. */
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

const PORTS = 'a whole number from 0 to 65535'
export const wrongPort = (typed: string, command: string) =>
  wrongArguments(`--port has to be ${PORTS}, not "${typed}".`, command)
export const wrongPortVariable = (value: string) =>
  new CommandError(`PORT in the environment or in .env has to be ${PORTS}, not "${value}".`)

export const unknownCode = (typed: string, known: readonly string[]) =>
  usage(`There is no error code "${typed}". There is: ${known.join(', ')}.`)

export const nodeTooOld = (version: string, wanted: string) =>
  new CommandError(`Node ${version} is too old for agency-swarm-js. Install Node ${wanted} or newer.`)

// ---- projects
export const noProject = (tried: readonly string[]) =>
  new CommandError(
    `There is no ${tried[0]} here. Name the file that exports your agency, or make a project: npx agency-swarm-js init`,
  )
export const noFile = (file: string) => new CommandError(`There is no file ${file}.`)
export const cannotLoad = (file: string, reason: string, cause: unknown) =>
  new CommandError(`${file} cannot be loaded: ${reason} (DEBUG=1 shows the stack.)`, { cause })
/** @param declared whether package.json names it already */
export const notInstalled = (file: string, missing: string, declared: boolean, cause: unknown) =>
  new CommandError(
    `${file} needs the package ${missing}, which is not installed. Run: npm install${declared ? '' : ` ${missing}`}`,
    { cause },
  )
export const nothingExported = (file: string) =>
  new CommandError(
    `${file} exports nothing to serve. Export "agency", or "agencies" and "tools", or as default the options of serve(). A file that calls serve() itself is started with: node ${file}`,
  )
export const unknownAgency = (name: string, known: readonly string[]) =>
  new CommandError(`There is no agency "${name}". There is: ${known.join(', ')}.`)

export const cannotWatch = (folder: string, cause: unknown) =>
  new CommandError(
    `${folder} cannot be watched (${textOf(cause)}). Use "serve" instead of "dev", or raise the system's limit of watched files.`,
    { cause },
  )

// ---- files
export const cannotReadEnv = (reason: string, cause: unknown) =>
  new CommandError(`.env cannot be read: ${reason}. Save it as UTF-8 text, or take it away.`, { cause })
export const cannotWrite = (file: string, cause: unknown) =>
  new CommandError(
    isMissing(cause)
      ? `${file} cannot be written: its folder does not exist. Make it first, or name another file.`
      : `${file} cannot be written (${textOf(cause)}).`,
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
    `The files are written, but npm install failed in ${folder}: ${output}. Check the network and npm's settings, then go on with: ${folder === '.' ? '' : `cd ${folder} && `}npm install && npm start`,
  )
export const cannotPack = (folder: string, output: string) =>
  new CommandError(
    `The files are written to ${folder}, but this copy of the package could not be packed for them: ${output}. Run npm pack where it is, and name the file in package.json: "agency-swarm-js": "file:..."`,
  )

// ---- servers
export const noAgencies = (name: string) =>
  new CommandError(`${name} lists no agencies. Name the one to use with --agency.`)
export const severalAgencies = (known: readonly string[]) =>
  new CommandError(`There are several agencies: ${known.join(', ')}. Choose one with --agency.`)
export const cannotReach = (name: string, cause: Error) =>
  new CommandError(`${name}: ${cause.message} "agency-swarm-js serve" starts a server.`, { cause })
export const needsToken = (name: string, cause: Error) =>
  new CommandError(`${name} wants a token (${cause.message}). Set APP_TOKEN in the environment or in .env.`, { cause })
export const refusesToken = (name: string, cause: Error) =>
  new CommandError(
    `${name} refuses the token in APP_TOKEN (${cause.message}). Set it to the server's token, in the environment or in .env; the environment wins.`,
    { cause },
  )

/** The sentence of an error for the person who starts the program: with the cause, which callers of a server do not see. */
export function sentenceOf(error: unknown): string {
  const { name, cause } = error instanceof Error ? error : { name: '', cause: undefined }
  const reason = name === 'AgencyError' && cause instanceof Error ? ` (${cause.message})` : ''
  return `${textOf(error)}${reason}`
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

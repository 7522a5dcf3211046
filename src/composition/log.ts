/** The server's log over a logger of the operator's, or over the console. */
import { errorText } from '../base/errors.ts'
import type { ServerLog } from '../base/log.ts'
import { invalidOption } from '../base/start-errors.ts'
import { type Redact, toLogLine } from '../wire/redact.ts'

/** A pino logger, Fastify's `app.log`, or anything of their shape. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/**
 * The log of a server.
 * @param option the `logger` option; by default failures and warnings go to the console
 * @param redact masks the secrets that the server knows
 * @param always fields of every line, such as the number of the worker process
 * @throws INVALID_OPTION
 */
export async function createServerLog(
  option: boolean | Logger | undefined,
  redact: Redact,
  always: object = {},
): Promise<ServerLog> {
  const logger = await readLogger(option)
  const write = (level: keyof Logger, fields: object, message: string) => {
    try {
      logger[level]({ ...always, ...fields }, toLogLine(redact(message)))
    } catch (error) {
      console.error(redact(`The logger failed: ${describeError(error)}`)) // it must not end requests and runs
    }
  }
  return {
    info: (message, fields = {}) => write('info', fields, message),
    warn: (message, fields = {}) => write('warn', fields, message),
    error: (message, error, mask = (text) => text, fields = {}) =>
      write('error', fields, mask(describeError(new Error(message, { cause: error })))),
  }
}

async function readLogger(option: boolean | Logger | undefined): Promise<Logger> {
  if (option === undefined || option === false) return consoleLogger
  const logger: Logger = option === true ? (await import('pino')).pino() : option
  if (![logger.info, logger.warn, logger.error].every((method) => typeof method === 'function'))
    throw invalidOption('logger has to be a pino logger, one with info, warn and error as it has them, or true.')
  return logger
}

/** Failures and warnings; lines about requests would be noise on a terminal. */
const consoleLogger: Logger = {
  info: () => {},
  warn: (fields, message) => console.warn([message, ...nameFields(fields)].join(' ')),
  error: (fields, message) => console.error(consoleLine(new Date(), fields, message)),
}

/** Time, what failed, and in which run: `2026-01-02T03:04:05.678Z A run failed. (...) runId=... agency=shop agent=Desk`. */
const consoleLine = (time: Date, fields: object, message: string): string =>
  [time.toISOString(), message, ...nameFields(fields)].join(' ')

const nameFields = (fields: object): string[] =>
  Object.entries(fields).map(([name, value]) => `${name}=${toLogLine(String(value))}`)

/** The log of runs in process, whose errors their caller gets: what fails beside a run is a warning on the console. */
export const createConsoleLog = (redact: Redact): ServerLog => ({
  info: () => {},
  warn: (message) => console.warn(message),
  error: (message, error, mask = (text) => text) =>
    console.warn(error === undefined ? message : `${message} ${redact(mask(errorText(error)))}`),
})

/** How deep a log follows the causes of an error, which may be its own cause. */
const MAX_CAUSES = 10

/** The text of an error, with those of its causes. */
export function describeError(error: unknown, depth = 0): string {
  const text = errorText(error)
  if (!(error instanceof Error) || error.cause === undefined || depth === MAX_CAUSES) return text
  const cause = describeError(error.cause, depth + 1)
  if (cause.startsWith(text)) return cause
  return text.includes(cause) ? text : `${text} (${cause})`
}

/** Errors of requests that are refused before a run, and of their files. */
import { AgencyError } from './errors.ts'

export const unknownAgent = (name: string, known: readonly string[]) =>
  new AgencyError('UNKNOWN_AGENT', 422, `There is no agent "${name}". This agency has: ${known.join(', ')}.`)
export const runNotFound = (runId: string) =>
  new AgencyError('RUN_NOT_FOUND', 404, `Run '${runId.slice(0, 100)}' not found or already completed`)
export const shuttingDown = () =>
  new AgencyError('SHUTTING_DOWN', 503, 'The server is shutting down and accepts no new work. Try again in a moment.')

export const clientGone = () => new AgencyError('CLIENT_GONE', 499, 'The client disconnected before the response.')
/** A limit of concurrent work is reached; the response has Retry-After. */
export const overloaded = (work: 'concurrent runs' | 'name lookups' | 'questions to other workers') =>
  new AgencyError('OVERLOADED', 503, `The server is at its limit of ${work}. Try again in a moment.`)
/** The process is at its memory budget; the response has Retry-After. */
export const processFull = (heldBytes: number) =>
  new AgencyError(
    'OVERLOADED',
    503,
    `The server is at its limit of data in memory (limits.heldBytes: ${heldBytes} bytes). Try again in a moment.`,
  )
export const tooManyRequests = (seconds: number) =>
  new AgencyError('RATE_LIMITED', 429, `Too many requests. Try again in ${seconds} seconds.`)
export const tooLarge = (statusCode: 413 | 414, part: 'body' | 'address', bytes: number) =>
  new AgencyError('TOO_LARGE', statusCode, `The ${part} is larger than this server's limit of ${bytes} bytes.`)
/** @param bytes the limit */
export const tooLargeToStore = (bytes: number) =>
  new AgencyError(
    'TOO_LARGE',
    413,
    `The request is larger than ${bytes} bytes, the most that this server stores of one (limits.storedBodyBytes). Send large data as files, or use an endpoint that stores nothing, such as get_response_stream.`,
  )
export const unsupportedBody = (feature: string) =>
  new AgencyError('UNSUPPORTED_BODY', 415, `${feature} is not supported. Send uncompressed JSON in UTF-8.`)
export const unknownExpectation = () =>
  new AgencyError('UNKNOWN_EXPECTATION', 417, 'The only supported value of the Expect header is 100-continue.')
export const invalidHost = () =>
  new AgencyError(
    'INVALID_HOST',
    400,
    'The request needs exactly one Host header, with a host name and an optional port.',
  )
/** @param header the header that names the other site */
export const otherSite = (header: 'Origin' | 'Host', value: string) =>
  new AgencyError(
    'OTHER_SITE',
    403,
    `This server has no token, so it only answers programs and pages of its own machine, not the ${header} ${JSON.stringify(value.slice(0, 100))}. Set a token, or list the allowed pages in corsOrigins.`,
  )
export const pageNotListed = (origin: string) =>
  new AgencyError(
    'OTHER_SITE',
    403,
    `Pages of ${JSON.stringify(origin.slice(0, 100))} may not use /mcp. List the origin by name in corsOrigins; "*" does not count here.`,
  )
export const crossSiteRead = () =>
  new AgencyError(
    'OTHER_SITE',
    403,
    'Reading a log deletes it, so a page of another site must send POST instead of GET.',
  )
export const threadsFailed = (cause: unknown) =>
  new AgencyError('THREADS_FAILED', 500, 'The conversation could not be loaded.', { cause })

// The native endpoints answer 200 and `{ error }` to these, as the original does (docs/wire.md, "Files").
const fileFailed = (sentence: string, cause: unknown) =>
  new AgencyError('FILE_FAILED', 422, sentence, cause === undefined ? undefined : { cause })
export const fileUrlFailed = (reason: string, cause?: unknown) =>
  fileFailed(`Error downloading file from provided urls: ${reason}`, cause)
export const fileIdFailed = (reason: string, cause?: unknown) =>
  fileFailed(`Error attaching file_ids: ${reason}`, cause)

/** @param field the field of `client_config` that would carry OpenAI's key */
export const filesNeedKey = (agent: string, field: 'api_key' | 'litellm_keys.openai') =>
  fileFailed(
    `The files for agent ${agent} cannot be stored, because there is no key for the Files API. Set OPENAI_API_KEY, or send client_config.${field}.`,
    undefined,
  )

/** The files of a folder could not be stored; the folder is one of the operator's own. */
export const folderFailed = (path: string, reason: string, cause?: unknown) =>
  new AgencyError(
    'FOLDER_FAILED',
    500,
    `The files of the folder ${path} could not be stored: ${reason}.`,
    cause === undefined ? undefined : { cause },
  )

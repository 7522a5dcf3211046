/** The server that `chat`, `graph` and `openapi` talk to. */
import { type Client, ClientError, createClient } from '../client/index.ts'
import { cannotReach, needsToken, noAgencies, rejectsToken, severalAgencies, unknownAgency } from './errors.ts'
import { loadProject } from './project.ts'
import type { Terminal } from './terminal.ts'

/** A server that a command talks to. */
export interface Target {
  client: Client
  /** The address of the server, or the file that it serves. */
  name: string
  close(): Promise<void>
}

interface TargetOptions {
  /** True when the command only reads descriptions, so that no model key is needed. */
  describe: boolean
  /** The address in the OpenAPI document. */
  serverUrl?: string | undefined
}

const isUrl = (text: string | undefined): text is string => /^https?:\/\//.test(text ?? '')

/** Connects to the server at a URL, or starts one on a free port for the exports of a file. @throws CommandError, AgencyError */
export async function openTarget(
  source: string | undefined,
  { describe, serverUrl }: TargetOptions,
  terminal: Terminal,
): Promise<Target> {
  if (isUrl(source)) return connect(source)
  const { file, options, library } = await terminal.during('Loading', loadProject(source))
  const server = await library.serve({
    ...options,
    ...(describe ? { keyPerRequest: true } : {}),
    ...(serverUrl === undefined ? {} : { serverUrl }),
    host: '127.0.0.1',
    port: 0,
    workers: 1,
    banner: false,
    handleSignals: false,
  })
  const token = process.env[options.appTokenEnv ?? 'APP_TOKEN']
  return { client: createClient({ baseUrl: server.url, token }), name: file, close: () => server.close() }
}

/** The server at a URL. @param token default: APP_TOKEN */
export const connect = (url: string, token = process.env.APP_TOKEN): Target => ({
  client: createClient({ baseUrl: url, token }),
  name: url,
  close: async () => {},
})

/** Awaits a request. Errors about the token or the connection are thrown with a remedy. @throws CommandError, ClientError */
export async function withRemedy<T>({ name }: Target, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    if (error.kind === 'unauthorized') throw (process.env.APP_TOKEN ? rejectsToken : needsToken)(name, error)
    throw error.kind === 'network' ? cannotReach(name, error) : error
  }
}

/** The names of the agencies, or only the given one. @throws CommandError for an unknown agency */
export async function listAgencies(target: Target, name: string | undefined): Promise<string[]> {
  const known = await withRemedy(target, target.client.agencies())
  const wanted = name?.replaceAll(' ', '_')
  if (wanted !== undefined && known.length > 0 && !known.includes(wanted)) throw unknownAgency(wanted, known)
  if (wanted !== undefined) return [wanted]
  if (known.length === 0) throw noAgencies(target.name)
  return known
}

/** The given agency, or the only one. @throws CommandError when there are several */
export async function selectAgency(target: Target, name: string | undefined): Promise<string> {
  const [first = '', ...others] = await listAgencies(target, name)
  if (others.length > 0) throw severalAgencies([first, ...others])
  return first
}

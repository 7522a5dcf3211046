import { type Client, ClientError, createClient } from '../client/index.ts'
import { cannotReach, needsToken, noAgencies, refusesToken, severalAgencies, unknownAgency } from './errors.ts'
import { loadProject } from './project.ts'
import type { Terminal } from './terminal.ts'

/** A server to talk to. */
export interface Target {
  client: Client
  /** Its address, or the file behind it. */
  name: string
  close(): Promise<void>
}

interface TargetOptions {
  /** Only what the server says of itself is asked for: no key is needed. */
  describe: boolean
  /** Its address in the OpenAPI document. */
  serverUrl?: string | undefined
}

const isUrl = (text: string | undefined): text is string => /^https?:\/\//.test(text ?? '')

/** The server at a URL, or one for a file's exports, on a free port until it is closed. @throws CommandError, AgencyError */
export async function openTarget(
  named: string | undefined,
  { describe, serverUrl }: TargetOptions,
  terminal: Terminal,
): Promise<Target> {
  if (isUrl(named)) {
    const client = createClient({ baseUrl: named, token: process.env.APP_TOKEN })
    return { client, name: named, close: async () => {} }
  }
  const { file, options, library } = await terminal.during('Loading', loadProject(named))
  const server = await library.serve({
    ...options,
    ...(describe ? { keyPerRequest: true } : {}),
    ...(serverUrl === undefined ? {} : { serverUrl }),
    host: '127.0.0.1',
    port: 0,
    banner: false,
    handleSignals: false,
  })
  const token = process.env[options.appTokenEnv ?? 'APP_TOKEN']
  return { client: createClient({ baseUrl: server.url, token }), name: file, close: () => server.close() }
}

/** What a server answers, with a way out where it does not. @throws CommandError */
export async function asking<T>({ name }: Target, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    if (error.kind === 'unauthorized') throw (process.env.APP_TOKEN ? refusesToken : needsToken)(name, error)
    throw error.kind === 'network' ? cannotReach(name, error) : error
  }
}

/** Its agencies, or those of them that were named. @throws CommandError */
export async function agenciesOf(target: Target, named: string | undefined): Promise<string[]> {
  const known = await asking(target, target.client.agencies())
  const wanted = named?.replaceAll(' ', '_')
  if (wanted !== undefined && known.length > 0 && !known.includes(wanted)) throw unknownAgency(wanted, known)
  if (wanted !== undefined) return [wanted]
  if (known.length === 0) throw noAgencies(target.name)
  return known
}

/** The one agency that is meant. @throws CommandError */
export async function agencyOf(target: Target, named: string | undefined): Promise<string> {
  const [first = '', ...others] = await agenciesOf(target, named)
  if (others.length > 0) throw severalAgencies([first, ...others])
  return first
}

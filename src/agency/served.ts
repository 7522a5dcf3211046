/** An agency as a server offers it: a ready object, or a factory that makes one for each request. */
import { within } from '../base/async.ts'
import { duplicateName, factoryFailed, invalidOption } from '../base/start-errors.ts'
import type { StoredMessage } from '../wire/message.ts'
import { AgencyGraph } from './agency.ts'
import { Agent } from './agent.ts'

/** The argument of a factory: `loadThreads` returns the request's `chat_history`. */
export interface AgencyCallbacks {
  loadThreads: () => StoredMessage[]
  saveThreads: (messages: StoredMessage[]) => void
}

/** Makes the agency of one request. Called once at start (names, metadata) and once per request. */
export type AgencyFactory = (
  callbacks: AgencyCallbacks,
) => AgencyGraph | WrapTheAgent | Promise<AgencyGraph | WrapTheAgent>

/** Not a value to give, but what the compiler says where an agent is served in place of an agency. */
export interface WrapTheAgent extends Agent {
  readonly '~serve': 'Wrap the agent into an agency: new Agency(agent).'
}

/** One agency as it is served. */
export interface ServedAgency {
  /** The path segment. */
  readonly path: string
  /** Made once at start: names and metadata come from it. */
  readonly preview: AgencyGraph
  /** It loads and saves its conversations itself, so the server keeps no threads for it. */
  readonly keepsThreads: boolean
  /** The agency of one request. @throws FACTORY_FAILED, INVALID_OPTION */
  make(callbacks: AgencyCallbacks): Promise<AgencyGraph>
}

/** First path segments that the server needs itself. */
const RESERVED = new Set(['tool', 'docs', 'redoc', 'openapi.json', 'get_logs', 'healthz', 'readyz', 'mcp', 'oauth'])

/**
 * Reads one entry of the `agencies` option, and makes its agency once.
 * @param callbackMs how long a factory may take
 * @param doors further first segments that the server needs
 * @throws INVALID_OPTION, DUPLICATE_NAME, FACTORY_FAILED
 */
export async function readAgency(
  name: string,
  value: unknown,
  callbackMs: number,
  doors: readonly string[] = [],
): Promise<ServedAgency> {
  if (!(value instanceof AgencyGraph) && (typeof value !== 'function' || isClass(value))) throw notAnAgency(name, value)
  const segment = (name.trim() || 'agency').replaceAll(' ', '_')
  const path = encodeURIComponent(segment)
  if (RESERVED.has(segment) || doors.includes(segment))
    throw duplicateName(`An agency cannot be served as "${segment}": the server needs that path itself.`)
  const make = async (callbacks: AgencyCallbacks): Promise<AgencyGraph> => {
    if (value instanceof AgencyGraph) return value
    let made: unknown
    try {
      made = await within(callbackMs, 'the factory', (value as AgencyFactory)(callbacks))
    } catch (error) {
      throw factoryFailed(name, error)
    }
    if (made instanceof AgencyGraph) return made
    throw notAnAgency(name, made, 'The factory')
  }
  const callbacks: AgencyCallbacks = { loadThreads: () => [], saveThreads: () => {} }
  const preview = await make(callbacks)
  const keepsThreads = preview.loadThreads !== undefined && preview.loadThreads !== callbacks.loadThreads
  return { path, preview, keepsThreads, make }
}

const isClass = (value: object) => /^class\b/.test(Function.prototype.toString.call(value))

/** The error for a value that cannot be served, with the way to correct it. */
function notAnAgency(name: string, value: unknown, subject = 'The server') {
  const place = subject === 'The server' ? `agencies["${name}"]` : `the factory agencies["${name}"] gives`
  if (value instanceof Agent)
    return invalidOption(`${place} is the agent "${value.name}". Serve an agency: new Agency(agent).`)
  const advice = 'Give an Agency, or a function that makes one: (callbacks) => new Agency(agent, callbacks).'
  if (value instanceof Promise) return invalidOption(`${place} is a promise. Await it first. ${advice}`)
  return invalidOption(`${place} is no Agency${value === undefined ? ' but undefined' : ''}. ${advice}`)
}

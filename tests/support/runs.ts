/** A client of runs and threads over real HTTP, which reads answers and frames as they are. */
import { createParser } from 'eventsource-parser'
import { expect } from 'vitest'
import { Agency, Agent, type AgentOptions, memory, type ServeOptions, sqlite } from '../../src/index.ts'
import { startServer } from './client.ts'
import { useFolder } from './folder.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
export type Json = any
export interface RunAnswer {
  status: number
  headers: Headers
  body: Json
}
export interface RunFrame {
  id: number
  event: string
  data: Json
}
type Fields = { [name: string]: string }

/** The stores that a test is run over. */
export const STORES = ['memory', 'sqlite'] as const
export const openStore = (kind: (typeof STORES)[number]) =>
  kind === 'memory' ? memory() : sqlite(`${useFolder()}/runs.db`)

export const agency = (options: Partial<AgentOptions> = {}) =>
  new Agency(new Agent({ name: 'CEO', instructions: 'Help.', model: 'gpt-4.1', ...options }))

/** Serves an agency named `support`. */
export async function serveRuns({ agent, ...options }: ServeOptions & { agent?: Partial<AgentOptions> } = {}) {
  const limits = { drainMs: 100, ...options.limits }
  const server = await startServer({ agencies: { support: agency(agent) }, ...options, limits })
  return { ...server, api: new RunsApi(`${server.url}/support`) }
}

/** The routes below one agency. */
export class RunsApi {
  readonly base: string
  readonly #headers: Fields

  constructor(base: string, headers: Fields = {}) {
    this.base = base
    this.#headers = headers
  }

  /** The same as another caller. */
  as(headers: Fields): RunsApi {
    return new RunsApi(this.base, { ...this.#headers, ...headers })
  }

  fetch(method: string, path: string, body?: unknown, headers: Fields = {}, signal?: AbortSignal): Promise<Response> {
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    return fetch(this.base + path, {
      method,
      headers: { ...json, ...this.#headers, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
  }

  async ask(method: string, path: string, body?: unknown, headers: Fields = {}): Promise<RunAnswer> {
    const answer = await this.fetch(method, path, body, headers)
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

  get = (path: string, headers: Fields = {}) => this.ask('GET', path, undefined, headers)
  post = (path: string, body?: unknown, headers: Fields = {}) => this.ask('POST', path, body, headers)
  delete = (path: string) => this.ask('DELETE', path)

  /** Starts a run and gives it as it was accepted. */
  async start(body: object, headers: Fields = {}): Promise<Json> {
    const { status, body: run } = await this.post('/runs', body, headers)
    expect(status, JSON.stringify(run)).toBe(202)
    return run
  }

  /** A run once it has ended or paused. */
  async settled(runId: string): Promise<Json> {
    for (;;) {
      const { body } = await this.get(`/runs/${runId}?wait=10`)
      if (!['queued', 'in_progress'].includes(body.status)) return body
    }
  }

  /** Starts a run and gives it once it has ended. */
  run = async (body: object): Promise<Json> => this.settled((await this.start(body)).run_id)

  /** The frames of a run's events, to the end of the stream. */
  async frames(runId: string, query = '', headers: Fields = {}): Promise<RunFrame[]> {
    return readAll(await this.fetch('GET', `/runs/${runId}/events${query}`, undefined, headers))
  }
}

/** The frames of a stream as they come. */
export async function* readStream(response: Response): AsyncGenerator<RunFrame> {
  expect(response.status, response.status === 200 ? '' : await response.clone().text()).toBe(200)
  const waiting: RunFrame[] = []
  const parser = createParser({
    onEvent: ({ id, event = 'message', data }) =>
      waiting.push({ id: Number(id), event, data: data === '[DONE]' ? data : JSON.parse(data) }),
  })
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    yield* waiting.splice(0)
  }
}

export async function readAll(response: Response): Promise<RunFrame[]> {
  const frames: RunFrame[] = []
  for await (const frame of readStream(response)) frames.push(frame)
  return frames
}

/** The names of frames, and the types of those of agents. */
export const kinds = (frames: readonly RunFrame[]) =>
  frames.map(({ event, data }) => (event === 'message' ? (data.data?.type ?? 'error') : event))

/** The text that frames bring. */
export const textOf = (frames: readonly RunFrame[]) =>
  frames
    .map(({ data }) => data?.data?.data)
    .filter((event) => event?.type === 'response.output_text.delta')
    .map(({ delta }) => delta)
    .join('')

/** A promise that a test resolves. */
export const gate = () => Promise.withResolvers<void>()

/** A shop with a tool that needs approval, served with stored runs, and what its clients ask over HTTP. */
import { join } from 'node:path'
import { createParser } from 'eventsource-parser'
import { z } from 'zod'
import { Agency, Agent, type AgentOptions, memory, type ServeOptions, sqlite, tool } from '../../src/index.ts'
import { type Frame, postAndRead, startServer, useUpstream } from './client.ts'
import { useFolder } from './folder.ts'
import type { startUpstream, Turn } from './upstream.ts'

export type Json = { [key: string]: unknown }
// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
type Answer = any
export type StoredFrame = Frame & { id: number }

export const STORES = ['memory', 'sqlite'] as const
export type StoreName = (typeof STORES)[number]

/** A new store; with a folder the same one again, once the server before has closed it. */
export const openStore = (name: StoreName, folder?: string) =>
  name === 'memory' ? memory() : sqlite(join(folder ?? useFolder(), 'agency.db'))

export const outputsIn = (body: Json) =>
  (body.input as Json[]).filter(({ type }) => type === 'function_call_output').map(({ output }) => String(output))

/** A model that makes the calls in its first turn, and then repeats what they answered. */
export const callThenTell =
  (...calls: { name: string; arguments: Json; id?: string }[]): Parameters<typeof startUpstream>[0] =>
  (body): Turn => {
    const outputs = outputsIn(body)
    return outputs.length === 0 ? { calls } : { text: outputs.join(' | ') }
  }

export const refundCall = (order: number, id = `call_${order}`) => ({ name: 'refund', arguments: { order }, id })

/** The tool `refund`, and the arguments of each call of it that has run. */
export function createRefund(options: Partial<Parameters<typeof tool>[0]> = {}) {
  const refunds: Json[] = []
  const refund = tool({
    name: 'refund',
    parameters: z.object({ order: z.int(), amount: z.number().optional() }),
    needsApproval: true,
    execute: (args: Json) => {
      refunds.push(args)
      return `refunded ${args.order}`
    },
    ...options,
  } as Parameters<typeof tool>[0])
  return { refund, refunds }
}

export interface ShopOptions {
  store?: ReturnType<typeof openStore>
  tools?: AgentOptions['tools']
  agency?: Agency
  limits?: ServeOptions['limits']
  runs?: ServeOptions['runs']
}

/** The shop on a free port; `close` stops it earlier than the test. */
export async function openShop({ store, tools = [], agency, limits, runs }: ShopOptions) {
  const clerk = new Agent({ name: 'Clerk', instructions: 'Serve.', model: 'gpt-4.1', tools })
  const server = await startServer({
    agencies: { shop: agency ?? new Agency(clerk) },
    runs: { store: store ?? memory(), ...runs },
    limits: limits ?? {},
    exposeErrors: true,
  })
  return { ...clientOf(`${server.url}/shop`), close: () => server.close() }
}

export async function openScriptedShop(
  script: Parameters<typeof useUpstream>[0],
  options: ShopOptions & { store: ReturnType<typeof openStore> },
) {
  const { seen } = await useUpstream(script)
  return { seen, ...(await openShop(options)) }
}

/** What a client asks. */
export function clientOf(url: string, headers: Record<string, string> = {}) {
  const get = async (path: string): Promise<Answer> => (await fetch(`${url}${path}`, { headers })).json()
  return {
    url,
    get,
    start: async (body: Json = {}): Promise<Answer> =>
      (await postAndRead(`${url}/runs`, { message: 'Go', ...body }, headers)).body,
    /** The run once it has ended or paused. */
    wait: (runId: string): Promise<Answer> => get(`/runs/${runId}?wait=10`),
    /** The run once its status is one of these. */
    async until(runId: string, ...statuses: string[]): Promise<Answer> {
      for (let tries = 0; tries < 1_000; tries++) {
        const run = await get(`/runs/${runId}`)
        if (statuses.includes(run.status)) return run
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      throw new Error(`The run did not become ${statuses.join(' or ')}.`)
    },
    inbox: async (query = ''): Promise<Answer[]> => (await get(`/approvals${query}`)).data,
    /** The inbox once it has so many entries. */
    async waiting(count: number): Promise<Answer[]> {
      for (;;) {
        const { data } = await get('/approvals')
        if (data.length >= count) return data
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    decide: (
      { run_id, approval_id }: { run_id: string; approval_id: string },
      body: Json,
      more: Record<string, string> = {},
    ): Promise<{ status: number; body: Answer }> =>
      postAndRead(`${url}/runs/${run_id}/approvals/${approval_id}`, body, { ...headers, ...more }),
    cancel: async (runId: string): Promise<Answer> =>
      (await postAndRead(`${url}/runs/${runId}/cancel`, { wait_ms: 5_000 }, headers)).body,
    events: (runId: string) => readStored(`${url}/runs/${runId}/events`, headers),
    allEvents: async (runId: string): Promise<StoredFrame[]> => {
      const frames: StoredFrame[] = []
      for await (const frame of readStored(`${url}/runs/${runId}/events`, headers)) frames.push(frame)
      return frames
    },
  }
}

/** The frames of a stored run as they come, to its end. */
async function* readStored(url: string, headers: Record<string, string>): AsyncGenerator<StoredFrame> {
  const response = await fetch(url, { headers })
  const waiting: StoredFrame[] = []
  const parser = createParser({
    onEvent: ({ id, event, data }) =>
      waiting.push({ id: Number(id), event, data: data === '[DONE]' ? data : JSON.parse(data) }),
  })
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    yield* waiting.splice(0)
  }
}

/** The function calls of messages: name and the text of the arguments. */
export const callsOf = (messages: readonly Json[]) =>
  messages.filter(({ type }) => type === 'function_call').map(({ name, arguments: args }) => [name, args])

/** Servers as processes of their own on one PostgreSQL database, and the model that their agents ask. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { type CrashServer, startCrashServer } from './crash-process.ts'
import { createDatabase } from './postgres.ts'
import { followRun, RunFold } from './run-reader.ts'
import { startUpstream, type Turn } from './upstream.ts'

type Json = { [key: string]: unknown }

/** What the last message of a conversation asks for, and how many outputs of calls have followed it. */
export interface Asked {
  message: string
  outputs: number
  /** How often a model was asked the same before. */
  times: number
}

export interface PostedRun {
  runId: string
  path: string
}

export const use = (name: string, id: string) => ({ name, id, arguments: {} })

/** A text in pieces, at a pace. */
export function speak(label: string, pieces: number, delayMs = 5): Turn & { text: string } {
  const deltas = Array.from({ length: pieces }, (_, index) => `${label}${index} `)
  return { text: deltas.join(''), deltas, delayMs }
}

/** @param env of every server */
export async function createPostgresScene(
  { folder, script }: { folder: string; script: string },
  model: (asked: Asked) => Turn,
  env: Record<string, string> = {},
) {
  const times = new Map<string, number>()
  const upstream = await startUpstream((body) => {
    const asked = readAsked(body)
    const key = JSON.stringify(asked)
    const before = times.get(key) ?? 0
    times.set(key, before + 1)
    return model({ ...asked, times: before })
  })
  const database = await createDatabase()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const effects = join(folder, 'effects')
  const fixed = { STORE: database.url, EFFECTS: effects, OPENAI_BASE_URL: upstream.baseURL, ...env }
  const servers: CrashServer[] = []
  return {
    upstream,
    url: database.url,
    /** Ids of the calls that took effect, in order. */
    effects: () => (existsSync(effects) ? readFileSync(effects, 'utf8').trim().split('\n') : []),
    async start(more: Record<string, string> = {}): Promise<CrashServer> {
      const server = await startCrashServer(script, { ...fixed, ...more })
      servers.push(server)
      return server
    },
    /** The server that works on a run. */
    async workerOf({ runId }: PostedRun): Promise<CrashServer> {
      for (;;) {
        const { rows } = await client.query('SELECT worker FROM agency_swarm.runs WHERE run_id = $1', [runId])
        const pid = Number(rows[0]?.worker?.split(':')[1])
        const server = servers.find(({ child }) => child.pid === pid)
        if (server !== undefined) return server
      }
    },
    async query(statement: string) {
      return (await client.query(statement)).rows
    },
    async close() {
      for (const { child } of servers) child.kill('SIGCONT')
      await Promise.all(servers.map(({ kill }) => kill()))
      await client.end()
      await upstream.close()
      await database.drop()
    },
  }
}

function readAsked(body: object): Omit<Asked, 'times'> {
  const { input } = body as { input: { role?: string; type?: string; content?: unknown }[] }
  const last = input.findLastIndex(({ role }) => role === 'user')
  const outputs = input.slice(last).filter(({ type }) => type === 'function_call_output').length
  return { message: JSON.stringify(input[last]?.content), outputs }
}

export async function post(server: CrashServer, message: string, more: Json = {}): Promise<PostedRun> {
  const { status, body } = await call(`${server.url}/team/runs`, { message, ...more })
  if (status !== 202) throw new Error(`POST /runs: ${status} ${JSON.stringify(body)}`)
  return { runId: body.run_id, path: `/team/runs/${body.run_id}` }
}

/** The run when it has ended or paused, as that server sees it; as it is after a minute at the latest. */
export async function settled(server: CrashServer, { path }: PostedRun) {
  const { body } = await call(`${server.url}${path}?wait=30`)
  const isLive = body.status === 'queued' || body.status === 'in_progress'
  return isLive ? (await call(`${server.url}${path}?wait=30`)).body : body
}

/** Reads a run to its end from a server that may change with each connection. */
export function read(serverOf: () => CrashServer, { path }: PostedRun) {
  const fold = new RunFold()
  return { fold, done: followRun({ url: () => `${serverOf().url}${path}`, fold }) }
}

export async function call(
  url: string,
  body?: Json,
  headers: Record<string, string> = {},
  // biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
): Promise<{ status: number; headers: Headers; body: any }> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  }
  const answer = await fetch(url, body === undefined ? {} : init)
  return { status: answer.status, headers: answer.headers, body: await answer.json() }
}

/** The command `runs`: what the operator of a server asks of its stored runs and webhooks. */
import { type AgencyClient, createClient, type ListPage, type Run, type Webhook } from '../client/index.ts'
import { defineCommand } from './command.ts'
import { notANumber, unknownAction, wrongArguments } from './errors.ts'
import { loadEnv } from './project.ts'
import { selectAgency, type Target, withRemedy } from './target.ts'
import { oneLine, type Terminal, toJson } from './terminal.ts'

interface Values {
  status?: string
  thread?: string
  limit?: string
  after?: string
  mode?: string
  all?: boolean
  json?: boolean
}

interface Ask {
  agency: AgencyClient
  ids: readonly string[]
  values: Values
}

/** What an action found: for scripts, and for people. */
interface Answer {
  json: unknown
  text: string
  /** For people only: how to go on. */
  note?: string
}

const ACTIONS: { [name: string]: { ids: 'none' | 'one' | 'any'; run(ask: Ask): Promise<Answer> } } = {
  list: { ids: 'none', run: listRuns },
  show: { ids: 'one', run: showRun },
  cancel: { ids: 'one', run: cancelRun },
  retry: { ids: 'one', run: retryRun },
  dead: { ids: 'none', run: listDead },
  redrive: { ids: 'any', run: redrive },
}

/** Options of a command that talks to a running server. */
export const SERVER = {
  url: { type: 'string', value: 'address', about: 'The server; default http://localhost:8000' },
  token: { type: 'string', value: 'token', about: 'Its bearer token; default APP_TOKEN' },
  agency: { type: 'string', value: 'name', about: 'The agency, where there are several' },
} as const

/** The server of the options. */
export function openServer({ url, token }: { url?: string; token?: string }): Target {
  loadEnv()
  const name = url ?? `http://localhost:${process.env.PORT || 8000}`
  const client = createClient({ baseUrl: name, token: token ?? process.env.APP_TOKEN })
  return { client, name, close: async () => {} }
}

export const command = defineCommand({
  usage: '<action> [id ...]',
  maxPositionals: 1_000,
  about: `Looks after the stored runs of a running server:

  list             the newest runs
  show <id>        one run, with its answer or error
  cancel <id>      stop a run
  retry <id>       start a new run from the request of one that has ended
  dead             webhooks that were given up
  redrive <id ...> send webhooks again; --all for all that were given up`,
  options: {
    ...SERVER,
    status: { type: 'string', value: 'status', about: 'list: only runs with this status' },
    thread: { type: 'string', value: 'id', about: 'list: only runs of this thread' },
    limit: { type: 'string', value: 'number', about: 'list, dead: rows, at most 100; default 20' },
    after: { type: 'string', value: 'cursor', about: 'list, dead: the page after this one' },
    mode: { type: 'string', value: 'mode', about: 'cancel: immediate (default) or after_turn' },
    all: { type: 'boolean', about: 'redrive: all webhooks that were given up' },
    json: { type: 'boolean', about: 'Print the answers of the server as JSON' },
  },
  async run({ values, positionals: [name = '', ...ids] }, terminal) {
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
    if (action === undefined) throw unknownAction(name, Object.keys(ACTIONS))
    checkIds(name, { wanted: action.ids, ids, all: values.all === true })
    const target = openServer(values)
    const path = await selectAgency(target, values.agency)
    const answer = await withRemedy(target, action.run({ agency: target.client.agency(path), ids, values }))
    print(answer, values.json === true, terminal)
    return 0
  },
})

function checkIds(
  name: string,
  { wanted, ids, all }: { wanted: 'none' | 'one' | 'any'; ids: readonly string[]; all: boolean },
): void {
  if (wanted === 'none' && ids.length > 0)
    throw wrongArguments(`"runs ${name}" does not take the argument "${ids[0]}".`, 'runs')
  if (wanted === 'one' && ids.length !== 1) throw wrongArguments(`"runs ${name}" takes the id of one run.`, 'runs')
  if (wanted === 'any' && ids.length > 0 === all)
    throw wrongArguments(`"runs ${name}" takes ids of webhooks, or --all.`, 'runs')
}

function print({ json, text, note }: Answer, asJson: boolean, terminal: Terminal): void {
  terminal.out(asJson ? `${toJson(json)}\n` : text)
  if (!asJson && note !== undefined) terminal.note(note)
}

function pageOf({ limit, after }: Values): { limit?: number; after?: string } {
  if (limit !== undefined && !/^\d+$/.test(limit)) throw notANumber('--limit', limit, 'runs')
  return { ...(limit === undefined ? {} : { limit: Number(limit) }), ...(after === undefined ? {} : { after }) }
}

const more = <Row>({ next }: ListPage<Row>) => (next === null ? {} : { note: `There are more: --after ${next}` })

async function listRuns({ agency, values }: Ask): Promise<Answer> {
  const { status, thread } = values
  const filter = { ...(status && { status: status as Run['status'] }), ...(thread && { thread_id: thread }) }
  const page = await agency.runs.list({ ...filter, ...pageOf(values) }).page()
  const rows = page.data.map((run) => [
    run.run_id,
    run.status,
    run.created_at,
    run.thread_id ?? '-',
    run.error?.code ?? '',
  ])
  return { json: page, text: table(['RUN', 'STATUS', 'CREATED', 'THREAD', 'ERROR'], rows, 'No runs.'), ...more(page) }
}

async function showRun({ agency, ids: [id = ''] }: Ask): Promise<Answer> {
  const run = await agency.runs.get(id)
  const { required_action, response, usage, error } = run
  const rows: [string, unknown][] = [
    ['run', run.run_id],
    ['status', run.status],
    ['agent', run.recipient_agent],
    ['thread', run.thread_id],
    ['queue position', run.queue_position],
    ['attempt', run.attempt],
    ['created', run.created_at],
    ['start', run.start_at],
    ['started', run.started_at],
    ['ended', run.ended_at],
    ['error', error && `${error.code}: ${error.message}`],
    ...(required_action?.approvals ?? []).map(({ approval_id, agent, tool }): [string, unknown] => [
      'waits for',
      `${approval_id} (${agent}: ${tool})`,
    ]),
    ...Object.entries(run.metadata).map(([name, value]): [string, unknown] => [`metadata.${name}`, value]),
    ['cost', usage?.total_cost === undefined ? null : `$${usage.total_cost}`],
    ['response', typeof response === 'string' ? response : response && JSON.stringify(response)],
  ]
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== '')
  return { json: run, text: shown.map(([name, value]) => `${`${name}:`.padEnd(16)} ${value}\n`).join('') }
}

async function cancelRun({ agency, ids: [id = ''], values: { mode } }: Ask): Promise<Answer> {
  const answer = await agency.runs.cancel(id, mode === undefined ? {} : { mode: mode as 'immediate' | 'after_turn' })
  const text = answer.settled ? answer.status : `${answer.status}; it has not ended yet, the request to stop stands`
  return { json: answer, text: `${id} ${text}\n` }
}

async function retryRun({ agency, ids: [id = ''] }: Ask): Promise<Answer> {
  const run = await agency.runs.retry(id)
  return { json: run, text: `${run.run_id} ${run.status}\n` }
}

async function listDead({ agency, values }: Ask): Promise<Answer> {
  const page = await agency.webhooks.list({ status: 'dead', ...pageOf(values) }).page()
  const rows = page.data.map((webhook) => [
    webhook.webhook_id,
    webhook.event,
    webhook.run_id,
    webhook.created_at,
    webhook.error ?? '',
    oneLine(webhook.url, 60),
  ])
  const text = table(
    ['WEBHOOK', 'EVENT', 'RUN', 'CREATED', 'LAST ERROR', 'ADDRESS'],
    rows,
    'No webhooks were given up.',
  )
  return { json: page, text, ...more(page) }
}

async function redrive({ agency, ids, values: { all } }: Ask): Promise<Answer> {
  const wanted = [...ids]
  if (all)
    for await (const { webhook_id } of agency.webhooks.list({ status: 'dead', limit: 100 })) wanted.push(webhook_id)
  const sent: Webhook[] = []
  for (const id of wanted) sent.push(await agency.webhooks.redrive(id))
  return { json: sent, text: sent.map(({ webhook_id, status }) => `${webhook_id} ${status}\n`).join('') }
}

/** Rows below their names, or a sentence when there are none. */
function table(names: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  if (rows.length === 0) return `${none}\n`
  const lines = [names, ...rows]
  const widths = names.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** Brings the routes of runs to every status that the document names for them. */
import { storeUnavailable } from '../../src/base/errors.ts'
import { memory } from '../../src/index.ts'
import type { RunStore } from '../../src/runs/run-store.ts'

type Fields = { [name: string]: string }

export interface RunVisit {
  /** Sends a request to the agency `solo`, as one who may. */
  send(method: string, path: string, body?: unknown, headers?: Fields): Promise<Response>
  store: LeavingStore
}

/** A store in memory that can be away. */
export class LeavingStore {
  away = false
  readonly store: RunStore

  constructor() {
    const store = memory()
    const check = () => {
      if (this.away) throw storeUnavailable(undefined)
    }
    this.store = {
      ...store,
      read: async (query) => {
        check()
        return store.read(query)
      },
      write: async (change) => {
        check()
        return store.write(change)
      },
    }
  }
}

/** An origin where nobody answers. */
export const CLOSED = 'http://127.0.0.1:1'

/** A path as the document writes it. */
export const templateOf = (path: string) =>
  path
    .replace(/(\/runs\/)[^/{]+/, '$1{run_id}')
    .replace(/(\/approvals\/)[^/{]+/, '$1{approval_id}')
    .replace(/(\/threads\/)[^/{]+/, '$1{thread_id}')
    .replace(/(\/webhooks\/)[^/{]+/, '$1{webhook_id}')

/** The scripted model hangs on "hang", calls `refund` on "Refund", and says something otherwise. */
export async function visitRuns({ send, store }: RunVisit): Promise<void> {
  const ask = async (method: string, path: string, body?: unknown, headers?: Fields) => {
    const text = await (await send(method, path, body, headers)).text()
    return text.startsWith('{') ? JSON.parse(text) : text
  }
  const key = (value: string) => ({ 'idempotency-key': value })
  const pause = async () => {
    const { run_id } = await ask('POST', '/runs', { message: 'Refund' })
    const { required_action } = await ask('GET', `/runs/${run_id}?wait=20`)
    return `/runs/${run_id}/approvals/${required_action.approvals[0].approval_id}`
  }

  await ask('POST', '/runs', { message: 'go', stream: true }, key('stream'))
  await ask('POST', '/runs', { message: 'go', thread_id: 'none', if_not_exists: 'reject' })
  await ask('POST', '/runs', { message: 'go', recipient_agent: 'Keyless' })
  const { run_id: live } = await ask('POST', '/runs', { message: 'hang', thread_id: 't' })
  const { body } = await send('GET', '/threads/t/stream')
  await body?.cancel()
  await ask('POST', '/runs', { message: 'go', thread_id: 't', multitask_strategy: 'reject' })
  for (const path of [`/runs/${live}`, '/threads/t']) await ask('DELETE', path)
  await ask('POST', `/runs/${live}/steer`, { agent: 'Assistant', text: 'Be short.' })
  for (const act of ['pause', 'continue']) {
    await ask('POST', `/runs/${live}/${act}`)
    await ask('POST', `/runs/${live}/${act}`, { agent: 1 })
  }
  for (const wait_ms of [0, 10_000])
    await ask('POST', `/runs/${live}/cancel`, { mode: 'after_turn', wait_ms: wait_ms / 100 })
  await ask('POST', `/runs/${live}/retry`)
  await ask('POST', `/runs/${live}/cancel`)
  const { run_id: done } = await ask('POST', '/runs', { message: 'go' })
  const { last_event_id } = await ask('GET', `/runs/${done}?wait=20`)
  await ask('POST', `/runs/${done}/cancel`)
  await ask('POST', `/runs/${done}/cancel`, { mode: 'never' })
  for (const act of ['steer', 'pause', 'continue'])
    await ask('POST', `/runs/${done}/${act}`, act === 'steer' ? { agent: 'Assistant', text: 'Be short.' } : {})
  await ask('POST', '/runs/r/steer', { agent: 'Assistant', text: 'Be short.' })
  await ask('POST', `/runs/${done}/retry`, undefined, key('k\u00fc'))
  await ask('POST', `/runs/${done}/retry`)
  const { run_id: told } = await ask('POST', '/runs', { message: 'go', webhook: { url: CLOSED } })
  await ask('GET', `/runs/${told}?wait=20`)
  const { data } = await ask('GET', `/webhooks?run_id=${told}`)
  await ask('POST', `/webhooks/${data[0].webhook_id}/redrive`)
  for (const query of ['', `?view=native&starting_after=${last_event_id}`, '?starting_after=9999'])
    await ask('GET', `/runs/${done}/events${query}`)
  await ask('GET', '/threads/t')
  await ask('GET', '/threads/t/messages')
  for (const thread of ['t', 'none']) await ask('PATCH', `/threads/${thread}`, { metadata: { title: 'T' } })

  const decided = await pause()
  for (const decision of ['approve', 'approve', 'maybe']) await ask('POST', decided, { decision })
  await ask('POST', '/runs/r/approvals/a', { decision: 'approve' })
  const sweepIn = (ms: number) => store.store.write({ kind: 'sweep', now: Date.now() + ms, eventsMs: 0, runsMs: 1e12 })
  await sweepIn(3_600_000)
  await ask('GET', `/runs/${done}/events`)
  await ask('POST', `/runs/${done}/retry`)
  await ask('POST', '/runs', { message: 'go', stream: true }, key('stream'))
  const expired = await pause()
  await sweepIn(48 * 3_600_000)
  await ask('POST', expired, { decision: 'approve' })
  await ask('DELETE', `/runs/${done}`)
  await ask('DELETE', '/threads/t')
  for (const _ of [1, 2]) await ask('POST', '/threads', { thread_id: 'u' }, key('u'))
  await ask('POST', '/threads', { thread_id: 'u' })
  await ask('POST', '/threads', { thread_id: '' })
  await ask('DELETE', '/threads/u')
  await ask('POST', '/threads', { thread_id: 'u' }, key('u'))

  await ask('POST', '/tickets', { thread_id: 'u', verbs: ['watch'] })

  const lists = ['/runs', '/approvals', '/webhooks', '/threads', '/threads/t/messages']
  for (const path of lists) await ask('GET', `${path}?limit=0`)
  for (const path of ['/runs/r?wait=99', '/runs/r/events?view=x', '/threads/t/stream?view=x']) await ask('GET', path)
  store.away = true
  for (const path of [...lists, '/runs/r', '/runs/r/events', '/threads/t', '/threads/t/stream']) await ask('GET', path)
  for (const path of ['/runs/r', '/threads/t']) await ask('DELETE', path)
  await ask('PATCH', '/threads/t', { metadata: { title: 'T' } })
  for (const path of ['/runs/r/retry', '/webhooks/w/redrive']) await ask('POST', path)
  store.away = false
}

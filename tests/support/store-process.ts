/** A process that has a SQLite store open: it writes turns until it is killed or the disk is full, or holds the file. Started by sqlite.test.ts. */
import { sqlite } from '../../src/stores/sqlite/sqlite.ts'

const [path = '', task = 'hold'] = process.argv.slice(2)
const store = sqlite(path)
const now = Date.now()
let committed = 0
const id = { agency: 'support', owner: 'ada', runId: `run-${process.pid}` }
await store.admit({
  ...id,
  now,
  recipient: 'CEO',
  plan: {},
  metadata: {},
  thread: { threadId: 't', ifNotExists: 'create', strategy: 'enqueue' },
  events: [],
  limits: { threadQueue: 1000, queuedRuns: 1000, scheduledRuns: 1000 },
})
process.stdout.write('open\n')
if (task === 'hold') setInterval(() => {}, 1000)
else await writeTurns().catch(report)

/** Each turn is one item, one call and two events, in one transaction; the number is printed once it is committed. */
async function writeTurns(): Promise<void> {
  const claimed = await store.claim({ runId: id.runId, worker: 'child', now })
  if (claimed === undefined) throw new Error('The run cannot be claimed.')
  for (let n = 0; ; n++) {
    await store.write({
      kind: 'run',
      claim: claimed.claim,
      now,
      turn: true,
      items: [{ conversation: 'c0', n, item: { text: 'x'.repeat(2000) } }],
      calls: [{ conversation: 'c0', callId: `k${n}`, state: 'begun' }],
      events: { first: 2 * n + 1, list: ['{"a":1}', '{"b":2}'] },
    })
    committed = n + 1
    process.stdout.write(`${n}\n`)
  }
}

/** Of a disk that is full: what failed, and what is there. */
async function report(error: unknown): Promise<void> {
  const { items } = await store.read({ kind: 'work', ...id })
  const { lastEventId } = await store.read({ kind: 'run', ...id })
  const { code } = error as { code?: string }
  process.stdout.write(`${JSON.stringify({ code, committed, items: items.length, events: lastEventId })}\n`)
}

/** A process that has a SQLite store open: it writes turns until it is killed, or holds the file. Started by sqlite.test.ts. */
import { sqlite } from '../../src/stores/sqlite/sqlite.ts'

const [path = '', task = 'hold'] = process.argv.slice(2)
const store = sqlite(path)
const now = Date.now()
const { run } = await store.admit({
  agency: 'support',
  owner: 'ada',
  runId: `run-${process.pid}`,
  now,
  recipient: 'CEO',
  plan: {},
  metadata: {},
  thread: { threadId: 't', ifNotExists: 'create', strategy: 'enqueue' },
  events: [],
  limits: { threadQueue: 1000, queuedRuns: 1000 },
})
process.stdout.write('open\n')
if (task === 'hold') setInterval(() => {}, 1000)
else await writeTurns(run.runId)

/** Each turn is one item, one call and two events, in one transaction; the number is printed once it is committed. */
async function writeTurns(runId: string): Promise<void> {
  const claimed = await store.claim({ runId, worker: 'child', now })
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
    process.stdout.write(`${n}\n`)
  }
}

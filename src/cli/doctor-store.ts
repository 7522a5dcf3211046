/** The check of `doctor` of the store of runs. */
import type { RunStore, StoreDiagnosis } from '../runs/run-store.ts'
import type { Finding } from './finding.ts'

const name = 'Store'
const HEARTBEATS =
  'processes show by heartbeats that they live, so the runs of one that died go on after 10 to 12 seconds'
const LOCK = 'a session lock shows that a process lives, so the runs of one that died go on after about a second'

/** What there is to say of a store that several processes use; undefined for others. @throws what the store throws */
export async function checkStore(store: RunStore | undefined): Promise<Finding | undefined> {
  if (store?.diagnose === undefined) return undefined
  const { server, session, sessionLock, pooling } = await store.diagnose()
  const advice = adviseOn({ session, sessionLock, pooling })
  return { name, ...advice, text: `${server}; ${advice.text}` }
}

function adviseOn({ session, sessionLock, pooling }: Omit<StoreDiagnosis, 'server'>): Omit<Finding, 'name'> {
  switch (session) {
    case 'kept':
      if (sessionLock) return { status: 'ok', text: LOCK }
      return {
        status: 'ok',
        text: HEARTBEATS,
        fix: 'The connection keeps its session, so postgres({ sessionLock: true }) makes that about a second.',
      }
    case 'none':
      return {
        status: 'warning',
        text: `no connection has a session of its own: ${HEARTBEATS}, and changes of other processes are seen once a second`,
        fix: 'Give postgres() a sessionUrl: the address of the database itself, or of a pooler in session mode.',
      }
    case 'changes':
      return {
        status: 'error',
        text: 'the address gives each transaction another session, as PgBouncer does with pool_mode = transaction: notifications and session locks do not work',
        fix:
          pooling === 'transaction'
            ? 'Set sessionUrl to the address of the database itself, or of a pooler in session mode.'
            : "Set pooling: 'transaction', and sessionUrl to the address of the database itself.",
      }
    default:
      return session satisfies never
  }
}

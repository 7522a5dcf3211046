/** What AG-UI shows of a stored run beside its events: whose it is, the conversation before it, and its state. */
import { readEcho } from '../dialects/agui/echo.ts'
import type { AguiSource } from '../dialects/agui/stored.ts'
import { toAguiMessages } from '../dialects/agui/stored-history.ts'
import type { RunRecord } from '../runs/run-store.ts'
import type { StoredOrder } from '../runs/stored/order.ts'
import type { StoredRuns } from '../runs/stored/service.ts'
import { STATE } from '../tools/state.ts'

/** Optional events of runs that no AG-UI client has started: their readers ask for AG-UI by name. */
const ALL = { subagents: true, reasoning: true, toolResults: true }

/** @param named the ids that RUN_STARTED names. Default: those of the request that started the run */
export function createAguiSource(
  runs: StoredRuns,
  run: RunRecord,
  named: { runId?: string; parentRunId?: string | undefined } = {},
): AguiSource {
  const { agency, owner, runId, threadId } = run
  const id = { agency, owner, runId }
  const { messageId: _, ...echo } = readEcho(run.metadata) ?? {
    ...{ runId, parentRunId: undefined, modern: true, rawEvents: false, events: ALL, messageId: undefined },
  }
  return {
    ...echo,
    ...named,
    ownId: runId,
    threadId: threadId ?? echo.runId,
    async begin() {
      const { plan, history } = await runs.store.read({ kind: 'work', ...id })
      const { chat_history, message: input, user_context } = (plan as unknown as StoredOrder).request
      const before = threadId === null ? (chat_history ?? []) : history
      const messages = toAguiMessages(runId, { history: before, input, modern: echo.modern })
      return { messages, state: user_context?.[STATE] }
    },
    replay: (upTo) => runs.replay(id, upTo),
  }
}

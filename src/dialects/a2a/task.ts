/** Stored runs as tasks of A2A. */
import type { RunRecord, RunStatus } from '../../runs/run-store.ts'
import type { Task, TaskArtifact, TaskMessage, TaskPart, TaskState, TaskStatus } from '../../wire/a2a.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'

/** The task of a run, and the conversation it belongs to. */
export interface TaskId {
  taskId: string
  contextId: string
}

/** Where the metadata of a run has the context of an agency that keeps its conversations itself. */
export const CONTEXT = 'context_id'

export const taskIdOf = ({ runId, threadId, metadata }: RunRecord): TaskId => ({
  taskId: runId,
  contextId: threadId ?? metadata[CONTEXT] ?? runId,
})

/** A run that has begun waits only for a moment, until a worker takes it up again. */
export const stateOf = ({ status, startedAt }: RunRecord): TaskState =>
  status === 'queued' && startedAt !== null ? 'TASK_STATE_WORKING' : STATES[status]

export const STATES: { readonly [status in RunStatus]: TaskState } = {
  queued: 'TASK_STATE_SUBMITTED',
  in_progress: 'TASK_STATE_WORKING',
  requires_action: 'TASK_STATE_INPUT_REQUIRED',
  completed: 'TASK_STATE_COMPLETED',
  failed: 'TASK_STATE_FAILED',
  incomplete: 'TASK_STATE_FAILED',
  cancelled: 'TASK_STATE_CANCELED',
}

/** When a run came into its state, as far as it is known, in milliseconds since 1970. */
export const changedAt = ({ endedAt, startedAt, createdAt }: RunRecord): number => endedAt ?? startedAt ?? createdAt

/** @param at in milliseconds since 1970 */
export const toStatus = (id: TaskId, state: TaskState, at: number, parts: TaskPart[] = []): TaskStatus => ({
  state,
  ...(parts.length === 0 ? {} : { message: { messageId: `${id.taskId}-status`, ...id, role: 'ROLE_AGENT', parts } }),
  timestamp: new Date(at).toISOString(),
})

export interface TaskParts {
  /** What the run has answered so far. Default: left out */
  artifacts?: TaskArtifact[] | undefined
  /** Default: left out */
  history?: TaskMessage[] | undefined
  /** What the caller has to do, of a run that waits. */
  question?: TaskPart[] | undefined
}

export function toTask(run: RunRecord, { artifacts, history, question }: TaskParts = {}): Task {
  const id = taskIdOf(run)
  const why = run.error?.message ?? (run.incompleteReason === null ? undefined : explainEnd(run.incompleteReason))
  const said = run.status === 'requires_action' ? question : why === undefined ? undefined : [{ text: why }]
  const metadata = toMetadata(run.outcome ?? {})
  return {
    id: id.taskId,
    contextId: id.contextId,
    status: toStatus(id, stateOf(run), changedAt(run), said),
    ...(artifacts && artifacts.length > 0 ? { artifacts } : {}),
    ...(history && { history }),
    ...(metadata && { metadata }),
  }
}

export const explainEnd = (reason: string): string => `The run ended early: ${reason}.`

/** The figures of a run. */
export function toMetadata({ usage, chat_name }: JsonObject): JsonObject | undefined {
  const metadata = { ...(isObject(usage) && { usage }), ...(typeof chat_name === 'string' && { chat_name }) }
  return Object.keys(metadata).length === 0 ? undefined : metadata
}

/** The message to the caller about what the run waits for. @param decides the caller may decide about it */
export function toQuestion(
  approvals: readonly { approvalId: string; agent: string; tool: string; arguments: unknown; expiresAt: number }[],
  decides: boolean,
): TaskPart[] {
  const tools = approvals.map(({ tool }) => `"${tool}"`).join(', ')
  return [
    { text: `Calls need approval: ${tools}.${decides ? ' Answer "approve" or "reject" on this task.' : ''}` },
    {
      data: {
        approvals: approvals.map(({ approvalId, agent, tool, arguments: args, expiresAt }) => ({
          approval_id: approvalId,
          agent,
          tool,
          arguments: args,
          expires_at: new Date(expiresAt).toISOString(),
        })),
      },
    },
  ]
}

/** An agency as a tool of the MCP server: `ask_<agency>`. A call is a stored run. */
import { randomUUID } from 'node:crypto'
import type { CallToolResult, Tool } from '@modelcontextprotocol/server'
import type { ServedAgency } from '../../agency/served.ts'
import { MAX_MS } from '../../base/limits.ts'
import type { RunId, RunRecord } from '../../runs/run-store.ts'
import type { LoggedEvent } from '../../runs/stored/events.ts'
import type { StoredRuns } from '../../runs/stored/service.ts'
import { misfit } from '../../tools/run.ts'
import { isObject } from '../../wire/json.ts'
import { parseAgencyRequest, RequestInvalid, type RequestRules } from '../../wire/requests.ts'
import { describeEvent } from './describe-event.ts'
import { errorResult, type McpCall, type McpTool } from './mcp-tool.ts'

export interface AgencyToolOptions {
  /** Its name for hosts. */
  name: string
  runs: StoredRuns
  rules: RequestRules
}

export function toAskTool(served: ServedAgency, options: AgencyToolOptions): McpTool {
  return {
    definition: define(served, options.name),
    async call(args, call) {
      const { message, recipient_agent, thread_id: threadId } = args
      const problem = findProblem(args, served)
      if (problem !== undefined)
        return errorResult(`Error: the arguments for tool "${options.name}" do not fit. ${problem}`)
      try {
        const request = parseAgencyRequest({ message, recipient_agent }, served.preview.agentNames, options.rules)
        return await ask(served, { request, threadId: threadId as string | null | undefined }, call, options)
      } catch (error) {
        if (!(error instanceof RequestInvalid)) throw error
        return errorResult(
          misfit(
            options.name,
            error.details.map((detail) => ({ ...detail, loc: detail.loc.slice(1) })),
          ),
        )
      }
    },
  }
}

const FIELDS = ['message', 'recipient_agent', 'thread_id']

/** What the schema of the tool rules out and `parseAgencyRequest` does not. */
function findProblem(args: { [name: string]: unknown }, { keepsThreads }: ServedAgency): string | undefined {
  const unknown = Object.keys(args).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) return `${unknown}: unknown field; known: ${FIELDS.join(', ')}`
  if (typeof args.message !== 'string') return 'message: Input should be a text'
  if (args.thread_id == null) return undefined
  if (keepsThreads) return 'thread_id: this agency keeps its own conversations'
  return typeof args.thread_id === 'string' && args.thread_id !== '' ? undefined : 'thread_id: Input should be a text'
}

function define({ preview, path, keepsThreads }: ServedAgency, name: string): Tool {
  const label = preview.name ?? decodeURIComponent(path)
  const agents = preview.agents.map((agent) =>
    agent.description ? `${agent.name} (${agent.description})` : agent.name,
  )
  const thread = {
    type: 'string',
    description: 'Goes on with the conversation of an earlier answer. Leave it out to begin a new one.',
  }
  return {
    name,
    title: label,
    description: `Ask the agency "${label}" and get its answer. Its agents: ${agents.join(', ')}.`,
    inputSchema: {
      type: 'object',
      properties: {
        message: { type: 'string', minLength: 1, description: 'The message to the agency.' },
        recipient_agent: {
          type: 'string',
          enum: [...preview.agentNames],
          description: `The agent to address. Default: the agent that had the conversation last, else ${preview.entryPoints[0]?.name}.`,
        },
        ...(keepsThreads ? {} : { thread_id: thread }),
      },
      required: ['message'],
      additionalProperties: false,
    },
    outputSchema: {
      type: 'object',
      properties: {
        response: { description: 'The answer: a text, or the structured value that the agent was asked for.' },
        thread_id: { type: ['string', 'null'], description: 'Repeat it in the next call to go on.' },
        run_id: { type: 'string' },
      },
      required: ['response', 'thread_id', 'run_id'],
    },
    annotations: { title: label, readOnlyHint: false, openWorldHint: true },
  }
}

interface Question {
  request: ReturnType<typeof parseAgencyRequest>
  threadId: string | null | undefined
}

async function ask(
  { path: agency, keepsThreads }: ServedAgency,
  { request, threadId }: Question,
  { owner, signal, report, traceparent }: McpCall,
  { runs }: AgencyToolOptions,
): Promise<CallToolResult> {
  const known = typeof threadId === 'string'
  const { run } = await runs.start({
    agency,
    owner,
    request,
    // Ids come from this server: two hosts that chose the same one would read each other's conversation.
    thread: keepsThreads
      ? null
      : { threadId: known ? threadId : randomUUID(), ifNotExists: known ? 'reject' : 'create', strategy: 'enqueue' },
    metadata: { protocol: 'mcp' },
    traceContext: traceparent === undefined ? undefined : { traceparent, tracestate: undefined },
  })
  const id: RunId = { agency, owner, runId: run.runId }
  const cancel = () => {
    // It may have ended in the meantime; a store that is away is logged by the run itself.
    runs.cancel({ ...id, mode: 'immediate', waitMs: 0 }).catch(() => {})
  }
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel() // it aborted while the run was stored
  const over = new AbortController()
  try {
    const reporting = report && reportEvents(runs.follow(id, 0, AbortSignal.any([signal, over.signal])), report)
    const record = await runs.wait(id, MAX_MS, signal)
    over.abort()
    await reporting
    signal.throwIfAborted()
    return await toResult(record, id, runs)
  } finally {
    over.abort()
    signal.removeEventListener('abort', cancel)
  }
}

/** Never rejects: the end of the run tells what went wrong. */
async function reportEvents(
  batches: AsyncIterable<readonly { event: LoggedEvent }[]>,
  report: (message: string) => void,
): Promise<void> {
  try {
    for await (const batch of batches)
      for (const { event } of batch) {
        const message = describeEvent(event)
        if (message !== undefined) report(message)
      }
  } catch {
    // The store is away: the call goes on without progress.
  }
}

async function toResult(record: RunRecord, id: RunId, runs: StoredRuns): Promise<CallToolResult> {
  const { runId, threadId, status, outcome, error, incompleteReason } = record
  const about = `(run ${runId}${threadId === null ? '' : `, thread ${threadId}`})`
  switch (status) {
    case 'completed': {
      const response = outcome?.response ?? ''
      const usage = isObject(outcome?.usage) ? { _meta: { usage: outcome.usage } } : {}
      return {
        content: [{ type: 'text', text: typeof response === 'string' ? response : JSON.stringify(response) }],
        structuredContent: { response, thread_id: threadId, run_id: runId },
        ...usage,
      }
    }
    case 'requires_action': {
      const { data } = await runs.store.read({ kind: 'approvals', ...id, status: 'pending', limit: 100 })
      const calls = data.map(
        ({ agent, tool, approvalId }) =>
          `"${tool}" of ${agent}: POST /${id.agency}/runs/${runId}/approvals/${approvalId}`,
      )
      return errorResult(
        `The run waits for a person's approval of these calls: ${calls.join('; ')}. It goes on when they are decided; ask again with the same thread_id then. ${about}`,
      )
    }
    case 'incomplete':
      return errorResult(`The run ended early: ${incompleteReason ?? 'a limit was reached'}. ${about}`)
    case 'failed':
      return errorResult(`${error?.message ?? 'The run failed.'} ${about}`)
    case 'cancelled':
      return errorResult(`The run was cancelled. ${about}`)
    default:
      return errorResult(`The server stopped before the run ended. ${about}`)
  }
}

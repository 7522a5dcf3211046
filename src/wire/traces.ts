/** The trace of a stored run over HTTP: a tree of spans, and the values that they name. */
import { z } from 'zod'

/** What all spans have. */
interface SpanFacts<Content> {
  span_id: string
  started_at: string
  ended_at: string | null
  /** Null while it goes on. */
  ms: number | null
  status: SpanStatus
  error: { type: string; message: string } | null
  spans: TraceSpan<Content>[]
}
/** `lost`: its process ended first. */
export type SpanStatus = (typeof STATUSES)[number]

/** The work of one process on the run, up to a pause or the end. */
export interface AttemptSpan<Content> extends SpanFacts<Content> {
  kind: 'attempt'
  attempt: number
}
/** An agent's part in a conversation, to its answer or to its handoff. */
export interface AgentSpan<Content> extends SpanFacts<Content> {
  kind: 'agent'
  agent: string
  /** The agent that asked it; null for the agent of the user. */
  caller_agent: string | null
  agent_run_id: string
}
/** An agent handed the conversation over. It takes no time. */
export interface HandoffSpan<Content> extends SpanFacts<Content> {
  kind: 'handoff'
  agent: string
  to: string
}
/** A call waited for the decision of a person. */
export interface ApprovalSpan<Content> extends SpanFacts<Content> {
  kind: 'approval'
  agent: string
  tool: string
  call_id: string
  approval_id: string
  decision: 'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled'
}
/** What a model was sent: the values of a model call before the provider's own format. */
export interface Sent<Content> {
  instructions?: Content
  input: Content[]
  tools: Content[]
  /** Tools that the provider runs. */
  hosted_tools: Content[]
  settings: Content
  output_schema?: Content
  include?: readonly string[]
}
export interface Received<Content> {
  response_id: string | null
  model: string | null
  status: string | null
  items: Content[]
}
export interface ModelSpan<Content> extends SpanFacts<Content> {
  kind: 'model'
  agent: string
  model: string
  provider: string | null
  streaming: boolean
  sent: Sent<Content>
  /** Null while it goes on, and for a call that failed. */
  received: Received<Content> | null
  usage: { input_tokens: number; output_tokens: number; cached_tokens: number; reasoning_tokens: number } | null
  /** The usage is a guess. */
  estimated: boolean
  /** In US dollars. */
  cost: number
  /** From the call to the first piece of the answer. */
  first_delta_ms: number | null
}
export interface ToolSpan<Content> extends SpanFacts<Content> {
  kind: 'tool'
  agent: string
  tool: string
  call_id: string
  arguments: Content
  output?: Content
}
/** On the wire a content is its place in `contents`, or null where it was left out. */
export type TraceSpan<Content = number | null> =
  | AttemptSpan<Content>
  | AgentSpan<Content>
  | HandoffSpan<Content>
  | ApprovalSpan<Content>
  | ModelSpan<Content>
  | ToolSpan<Content>

const STATUSES = ['in_progress', 'completed', 'failed', 'cancelled', 'lost'] as const
const time = z.string().meta({ description: 'ISO 8601, UTC.', format: 'date-time' })
const content = z
  .int()
  .nullable()
  .describe('The place of the value in `contents`, from 0; null where there was no room for it.')
const facts = {
  span_id: z.string(),
  started_at: time,
  ended_at: time.nullable(),
  ms: z.number().nullable().describe('Null while it goes on.'),
  status: z.enum(STATUSES).describe('lost: its process ended first.'),
  error: z.object({ type: z.string(), message: z.string() }).nullable(),
  spans: z.array(z.lazy(() => traceSpan)),
}
const attempt = z
  .object({ kind: z.literal('attempt'), ...facts, attempt: z.int() })
  .describe('The work of one process on the run, up to a pause or the end.')
const agent = z.object({
  kind: z.literal('agent'),
  ...facts,
  agent: z.string(),
  caller_agent: z.string().nullable().describe('The agent that asked it; null for the agent of the user.'),
  agent_run_id: z.string(),
})
const handoff = z.object({ kind: z.literal('handoff'), ...facts, agent: z.string(), to: z.string() })
const approval = z
  .object({
    kind: z.literal('approval'),
    ...facts,
    agent: z.string(),
    tool: z.string(),
    call_id: z.string(),
    approval_id: z.string(),
    decision: z.enum(['pending', 'approved', 'rejected', 'expired', 'cancelled']),
  })
  .describe('A call waited for the decision of a person.')
const sent = z.object({
  instructions: content.exactOptional(),
  input: z.array(content),
  tools: z.array(content),
  hosted_tools: z.array(content).describe('Tools that the provider runs.'),
  settings: content,
  output_schema: content.exactOptional(),
  include: z.array(z.string()).exactOptional(),
})
const received = z.object({
  response_id: z.string().nullable(),
  model: z.string().nullable(),
  status: z.string().nullable(),
  items: z.array(content),
})
const tokens = z.object({
  input_tokens: z.int(),
  output_tokens: z.int(),
  cached_tokens: z.int(),
  reasoning_tokens: z.int(),
})
const model = z.object({
  kind: z.literal('model'),
  ...facts,
  agent: z.string(),
  model: z.string(),
  provider: z.string().nullable(),
  streaming: z.boolean(),
  sent,
  received: received.nullable().describe('Null while the call goes on, and for a call that failed.'),
  usage: tokens.nullable(),
  estimated: z.boolean().describe('The usage is a guess.'),
  cost: z.number().describe('In US dollars.'),
  first_delta_ms: z.number().nullable().describe('From the call to the first piece of the answer.'),
})
const tool = z.object({
  kind: z.literal('tool'),
  ...facts,
  agent: z.string(),
  tool: z.string(),
  call_id: z.string(),
  arguments: content,
  output: content.exactOptional(),
})
const traceSpan: z.ZodType<TraceSpan> = z
  .discriminatedUnion('kind', [attempt, agent, handoff, approval, model, tool])
  .meta({ id: 'TraceSpan' }) as z.ZodType<TraceSpan>

export const trace = z
  .object({
    run_id: z.string(),
    status: z.string().describe('Of the run.'),
    truncated: z.boolean().describe('Something was left out: the run has recorded more than `limits.traceBytes`.'),
    spans: z.array(traceSpan).describe('The attempts of the run; empty for a run that was not traced.'),
    contents: z.array(z.unknown()).describe('What spans name by its place: each value once.'),
  })
  .meta({ id: 'Trace' })
/** The trace of a run, as it is sent. */
export interface TraceAnswer {
  run_id: string
  status: string
  truncated: boolean
  spans: TraceSpan[]
  contents: unknown[]
}

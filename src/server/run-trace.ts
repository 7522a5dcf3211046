/** The records of a traced run as a tree of spans. */
import type { ApprovalRecord, RunRecord } from '../runs/run-store.ts'
import type { ContentRef, EndRecord, SentRecord, StartRecord, TraceRecord } from '../runs/stored/trace/records.ts'
import type { SpanStatus, TraceAnswer, TraceSpan } from '../wire/traces.ts'

/** What all spans have, without those below. */
type Facts = Omit<TraceSpan, 'kind'>

/** @param approvals those of the run, decided or not */
export function toTrace(
  run: Pick<RunRecord, 'runId' | 'status' | 'endedAt'>,
  records: readonly TraceRecord[],
  approvals: readonly ApprovalRecord[],
): TraceAnswer {
  const tree = new Tree(run.endedAt !== null)
  for (const record of records) tree.add(record)
  for (const approval of approvals) tree.addApproval(approval)
  const { roots, contents, truncated } = tree
  return { run_id: run.runId, status: run.status, truncated, spans: roots, contents }
}

class Tree {
  readonly roots: TraceSpan[] = []
  readonly contents: unknown[] = []
  truncated = false
  readonly #hasEnded: boolean
  readonly #spans = new Map<number, TraceSpan>()
  readonly #parents = new Map<TraceSpan, TraceSpan>()
  /** Model span -> all items of its input. */
  readonly #inputs = new Map<number, readonly ContentRef[]>()

  /** @param hasEnded spans of the run without an end are lost */
  constructor(hasEnded: boolean) {
    this.#hasEnded = hasEnded
  }

  add(record: TraceRecord): void {
    switch (record.record) {
      case 'content':
        this.contents.push(record.value)
        break
      case 'cut':
        this.truncated = true
        break
      case 'start':
        this.#start(record)
        break
      case 'end':
        this.#end(record)
        break
      default:
        record satisfies never
    }
  }

  #start(record: StartRecord): void {
    if (record.kind === 'attempt')
      for (const span of this.#spans.values()) if (span.ended_at === null) span.status = 'lost'
    const span = this.#toSpan(record)
    this.#spans.set(record.span, span)
    const parent = record.parent === null ? undefined : this.#spans.get(record.parent)
    if (parent !== undefined) this.#parents.set(span, parent)
    ;(parent?.spans ?? this.roots).push(span)
  }

  #toSpan(record: StartRecord): TraceSpan {
    const { span, at } = record
    const facts = openFacts(String(span), at, this.#hasEnded ? 'lost' : 'in_progress')
    switch (record.kind) {
      case 'attempt':
        return { kind: 'attempt', ...facts, ...record.facts }
      case 'agent': {
        const { agent, caller, agentRunId } = record.facts
        return { kind: 'agent', ...facts, agent, caller_agent: caller, agent_run_id: agentRunId }
      }
      case 'tool': {
        const { agent, tool, callId, arguments: args } = record.facts
        return { kind: 'tool', ...facts, agent, tool, call_id: callId, arguments: args }
      }
      case 'model': {
        const { sent, ...about } = record.facts
        const unknown = { received: null, usage: null, estimated: false, cost: 0, first_delta_ms: null }
        return { kind: 'model', ...facts, ...about, sent: this.#toSent(span, sent), ...unknown }
      }
      default:
        return record satisfies never
    }
  }

  /** The whole input: what an earlier call had, too, and what was added. */
  #toSent(span: number, { input: { from, keep, added }, hostedTools, outputSchema, include, ...sent }: SentRecord) {
    const before = (from === null ? undefined : this.#inputs.get(from)) ?? []
    const input = [...before.slice(0, keep), ...added]
    this.#inputs.set(span, input)
    return {
      ...sent,
      input,
      hosted_tools: hostedTools,
      ...(outputSchema === undefined ? {} : { output_schema: outputSchema }),
      ...(include === undefined ? {} : { include }),
    }
  }

  #end(record: EndRecord): void {
    const span = this.#spans.get(record.span)
    if (span === undefined) return
    const { at, failure, cancelled } = record
    close(span, at, failure !== undefined ? 'failed' : cancelled ? 'cancelled' : 'completed')
    span.error = failure ?? null
    if (record.kind === 'agent' && span.kind === 'agent' && record.facts.handedOverTo !== undefined)
      span.spans.push({
        kind: 'handoff',
        ...openFacts(`handoff-${record.span}`, at, 'completed'),
        ended_at: toTime(at),
        ms: 0,
        agent: span.agent,
        to: record.facts.handedOverTo,
      })
    if (record.kind === 'tool' && span.kind === 'tool') Object.assign(span, record.facts)
    if (record.kind === 'model' && span.kind === 'model') {
      const { received, usage, estimated, cost, firstDeltaMs } = record.facts
      span.received = received === undefined ? null : toReceived(received)
      span.usage = usage && {
        input_tokens: usage.input,
        output_tokens: usage.output,
        cached_tokens: usage.cached,
        reasoning_tokens: usage.reasoning,
      }
      span.estimated = estimated
      span.cost = cost
      span.first_delta_ms = firstDeltaMs
    }
  }

  /** An approval belongs to the part of its agent in which the call was made: the last one that began before it. */
  addApproval({ approvalId, agent, tool, callId, parentRunId, status, createdAt, decidedAt }: ApprovalRecord): void {
    const created = toTime(createdAt)
    const asker = [...this.#spans.values()].findLast(
      (span) =>
        span.kind === 'agent' &&
        span.agent === agent &&
        span.started_at <= created &&
        (parentRunId === null ? span.caller_agent === null : this.#isAskedBy(span, parentRunId)),
    )
    const span: TraceSpan = {
      kind: 'approval',
      ...openFacts(`approval-${approvalId}`, createdAt, 'in_progress'),
      agent,
      tool,
      call_id: callId,
      approval_id: approvalId,
      decision: status,
    }
    if (decidedAt !== null) close(span, decidedAt, status === 'cancelled' ? 'cancelled' : 'completed')
    const siblings = asker?.spans ?? this.roots
    siblings.push(span)
    siblings.sort((a, b) => Date.parse(a.started_at) - Date.parse(b.started_at))
  }

  /** True where that call made the agent work; also for an agent that goes on after a pause, whose call is not below it. */
  #isAskedBy(span: TraceSpan, callId: string): boolean {
    const parent = this.#parents.get(span)
    return parent?.kind === 'tool' ? parent.call_id === callId : true
  }
}

const toTime = (ms: number) => new Date(ms).toISOString()

const openFacts = (id: string, at: number, status: SpanStatus): Facts => ({
  span_id: id,
  started_at: toTime(at),
  ended_at: null,
  ms: null,
  status,
  error: null,
  spans: [],
})

function close(span: TraceSpan, at: number, status: SpanStatus): void {
  span.ended_at = toTime(at)
  span.ms = Math.max(0, at - Date.parse(span.started_at))
  span.status = status
}

const toReceived = ({
  id,
  ...received
}: {
  id: string | null
  model: string | null
  status: string | null
  items: ContentRef[]
}) => ({
  response_id: id,
  ...received,
})

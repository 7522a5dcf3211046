/** Records the spans of a stored run with what models and tools were sent and what came back, each value once. */
import { hash } from 'node:crypto'
import type { Charges } from '../../../base/budget.ts'
import { readTokens } from '../../../models/usage.ts'
import { isShortJson } from '../../../wire/json-write.ts'
import type { InputItem } from '../../../wire/message.ts'
import { withoutKeys } from '../../../wire/redact.ts'
import type { Ends, Span, SpanKind, Starts, Telemetry } from '../../span.ts'
import type { ContentRef, EndRecord, SentRecord, SpanEnds, SpanStarts, StartRecord, TraceRecord } from './records.ts'

export interface RecorderOptions {
  attempt: number
  /** What earlier claims of the run have recorded. */
  earlier: readonly TraceRecord[]
  /** Bytes of the contents of one run; spans may take as much again. */
  maxBytes: number
  now: () => number
  /** Charged for what is not stored yet, and for what is remembered. */
  budget: Charges
  /** Called for each record: it waits to be stored. */
  onRecord: () => void
}

/** Records that wait; `first` is the number of the first among all of the run, from 0. */
export interface WaitingRecords {
  first: number
  /** A JSON list. */
  records: string
}

/** What is remembered of one content, in bytes. */
const REMEMBERED_BYTES = 120
/** Longest error message, in characters. */
const MAX_MESSAGE_CHARS = 4_000
/** Data URLs up to this length are kept. */
const MAX_DATA_URL_CHARS = 256

export class TraceRecorder implements Telemetry {
  readonly #options: RecorderOptions
  /** Hash of the JSON of a value -> its place. */
  readonly #places = new Map<string, number>()
  /** Value -> its place: most items of a conversation are the same objects in each call. */
  readonly #refs = new WeakMap<object, ContentRef>()
  /** Agent span -> its last model call. */
  readonly #lastCalls = new Map<number, { span: number; input: readonly ContentRef[] }>()
  #waiting: string[] = []
  /** Records that were given away, those of earlier claims among them. */
  #taken: number
  #spans = 0
  #bytes = 0
  /** A content has found no room: later ones are not looked at. */
  #isFull = false
  #isCut = false
  #redact: Starts['run']['redact'] = (text) => text

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#taken = options.earlier.length
    for (const record of options.earlier) this.#remember(record)
  }

  /** True while records wait to be stored. */
  get waits(): boolean {
    return this.#waiting.length > 0
  }

  #remember(record: TraceRecord): void {
    const text = JSON.stringify(record)
    this.#bytes += text.length
    if (record.record === 'content') this.#places.set(hashOf(JSON.stringify(record.value)), this.#places.size)
    if (record.record === 'start') this.#spans = Math.max(this.#spans, record.span)
    if (record.record === 'cut') this.#isCut = true
  }

  start({ redact }: Starts['run']): Span<'run'> {
    this.#redact = redact
    return this.#open('run', null, { attempt: this.#options.attempt })
  }

  refused(): void {}

  /** Takes the records that wait; undefined when there are none. */
  take(): WaitingRecords | undefined {
    const waiting = this.#waiting
    if (waiting.length === 0) return undefined
    const first = this.#taken
    this.#waiting = []
    this.#taken += waiting.length
    this.#options.budget.release(waiting.reduce((sum, text) => sum + text.length, 0))
    return { first, records: `[${waiting.join(',')}]` }
  }

  #open<Kind extends SpanKind>(kind: Kind, parent: number | null, facts: object): Span<Kind> {
    const span = ++this.#spans
    const at = this.#options.now()
    this.#add({ record: 'start', span, parent, at, kind: kind === 'run' ? 'attempt' : kind, facts } as StartRecord)
    return {
      child: (part, start) =>
        this.#open(part, span, this.#describeStart[part](start as never, { span: this.#spans + 1, parent: span })),
      inside: (work) => work(),
      end: (end) => this.#close(kind, span, end),
    }
  }

  #close<Kind extends SpanKind>(kind: Kind, span: number, end: Ends[Kind]): void {
    const { failure, cancelled } = end
    this.#add({
      record: 'end',
      span,
      at: this.#options.now(),
      kind: kind === 'run' ? 'attempt' : kind,
      ...(failure && { failure: { ...failure, message: failure.message.slice(0, MAX_MESSAGE_CHARS) } }),
      ...(cancelled === true && { cancelled }),
      facts: this.#describeEnd[kind](end as never),
    } as EndRecord)
    if (kind === 'agent') this.#lastCalls.delete(span)
  }

  readonly #describeStart: {
    [Kind in SpanKind]: (start: Starts[Kind], at: { span: number; parent: number }) => object
  } = {
    run: () => ({}),
    agent: ({ who }): SpanStarts['agent'] => ({
      agent: who.agent,
      caller: who.callerAgent,
      agentRunId: who.agentRunId,
    }),
    model: ({ model, request, streaming, agent }, at): SpanStarts['model'] => ({
      agent,
      model: model.name,
      provider: model.provider ?? null,
      streaming,
      sent: this.#describeSent(request, at),
    }),
    tool: ({ call, agent }): SpanStarts['tool'] => ({
      agent,
      tool: call.name,
      callId: call.callId,
      arguments: this.#keep(call.argumentsJson),
    }),
  }

  readonly #describeEnd: { [Kind in SpanKind]: (end: Ends[Kind]) => object } = {
    run: (): SpanEnds['attempt'] => ({}),
    agent: ({ handedOverTo }): SpanEnds['agent'] => (handedOverTo === undefined ? {} : { handedOverTo }),
    model: ({ response, usage, estimated, cost, firstDeltaMs }): SpanEnds['model'] => ({
      ...(response && {
        received: {
          id: response.id ?? null,
          model: typeof response.model === 'string' ? response.model : null,
          status: response.status ?? null,
          items: (response.output ?? []).map((item) => this.#keep(item)),
        },
      }),
      usage: usage == null ? null : toTokens(readTokens(usage)),
      estimated,
      cost,
      firstDeltaMs: firstDeltaMs ?? null,
    }),
    tool: ({ output }): SpanEnds['tool'] => (output === undefined ? {} : { output: this.#keep(output) }),
  }

  #describeSent(request: Starts['model']['request'], { span, parent }: { span: number; parent: number }): SentRecord {
    const { instructions, tools, hostedTools = [], settings, outputSchema, include } = request
    return {
      ...(instructions === undefined ? {} : { instructions: this.#keep(instructions) }),
      input: this.#describeInput(request.input, span, parent),
      tools: tools.map((tool) => this.#keep(tool)),
      hostedTools: hostedTools.map((tool) => this.#keep(withoutKeys(tool))),
      settings: this.#keep(withoutKeys(settings)),
      ...(outputSchema === undefined ? {} : { outputSchema: this.#keep(outputSchema) }),
      ...(include === undefined ? {} : { include }),
    }
  }

  #describeInput(items: readonly InputItem[], span: number, parent: number): SentRecord['input'] {
    const input = items.map((item) => this.#keep(item))
    const last = this.#lastCalls.get(parent)
    this.#lastCalls.set(parent, { span, input })
    const changed = input.findIndex((ref, index) => ref !== last?.input[index])
    const keep = changed < 0 ? input.length : changed
    return { from: keep === 0 ? null : (last as { span: number }).span, keep, added: input.slice(keep) }
  }

  /** The place of a value, which is recorded where it is new; null for a long one, and where there is no room for it. */
  #keep(value: unknown): ContentRef {
    if (typeof value !== 'object' || value === null) return this.#place(value)
    const known = this.#refs.get(value)
    if (known !== undefined) return known
    const ref = this.#place(value)
    this.#refs.set(value, ref)
    return ref
  }

  #place(value: unknown): ContentRef {
    if (this.#isFull || !isShortJson(value)) {
      this.#cut()
      return null
    }
    const json = JSON.stringify(value) ?? 'null'
    const key = hashOf(json)
    const known = this.#places.get(key)
    if (known !== undefined) return known
    const record = `{"record":"content","value":${this.#maskJson(json, value)}}`
    if (this.#bytes + record.length > this.#options.maxBytes) {
      this.#isFull = true
      this.#cut()
      return null
    }
    this.#push(record, REMEMBERED_BYTES)
    const place = this.#places.size
    this.#places.set(key, place)
    return place
  }

  /** The JSON of a value, masked. Masking every text by itself takes most of the time, so JSON without escapes is looked through as a whole. */
  #maskJson(json: string, value: unknown): string {
    if (!json.includes('\\') && !json.includes('"data:') && this.#redact(json) === json) return json
    return JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? this.#mask(part) : part)) ?? 'null'
  }

  #mask(text: string): string {
    if (!text.startsWith('data:') || text.length <= MAX_DATA_URL_CHARS) return this.#redact(text)
    const head = text.slice(0, Math.min(text.indexOf(',') + 1, MAX_DATA_URL_CHARS))
    return `${head}... (${text.length} characters)`
  }

  /** Contents leave room for spans; a run with more spans than that loses the last. */
  #add(record: TraceRecord): void {
    const text = JSON.stringify(record)
    if (this.#bytes + text.length > 2 * this.#options.maxBytes) this.#cut()
    else this.#push(text, 0)
  }

  #cut(): void {
    if (this.#isCut) return
    this.#isCut = true
    this.#push(JSON.stringify({ record: 'cut' } satisfies TraceRecord), 0)
  }

  #push(text: string, remembered: number): void {
    this.#options.budget.charge(text.length + remembered)
    this.#bytes += text.length
    this.#waiting.push(text)
    this.#options.onRecord()
  }
}

const hashOf = (text: string) => hash('sha256', text, 'base64')

const toTokens = ({ input, output, cached, reasoning }: ReturnType<typeof readTokens>) => ({
  input,
  output,
  cached: cached ?? 0,
  reasoning: reasoning ?? 0,
})

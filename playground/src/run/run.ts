/** The view of a run: a fold over its events. */
import type {
  CancelMode,
  InputItem,
  ModelEvent,
  RequestedApproval,
  StoredMessage,
  StreamEvent,
  Usage,
} from 'agency-swarm-js/client'
import type { Failure } from './failure.ts'

type JsonObject = { [key: string]: unknown }

/** One entry of a thread: a text, call or error, in the order of their start. Times are milliseconds since 1970. */
export type Entry =
  | { kind: 'text'; id: string; agent: string; text: string; state: EntryState }
  | {
      kind: 'reasoning'
      id: string
      agent: string
      text: string
      state: EntryState
      startedAt?: number
      endedAt?: number
    }
  | CallEntry
  | { kind: 'handoff'; id: string; from: string; to: string | undefined }
  | { kind: 'error'; id: string; agent: string | null; text: string }

/** `cut` means that the run ended before the entry was complete. */
export type EntryState = 'open' | 'complete' | 'cut'

export interface CallEntry {
  kind: 'call'
  /** The call's id; it is also the key of the sub-agent's thread. */
  id: string
  itemId: string
  agent: string
  name: string
  /** The item's type: `function_call`, or that of a hosted tool. */
  type: string
  /** The arguments as JSON, as the model wrote them. */
  args: string
  output?: unknown
  /** Why the call failed; its state is `complete`, because the model got an output. */
  failure?: string
  state: EntryState
  /** When the call was complete and its tool started, and when its output arrived, as observed by this page. */
  startedAt?: number
  endedAt?: number
}

/** One answer of a model. */
export interface ModelCall {
  agent: string
  thread: string
  startedAt?: number
  endedAt?: number
  inputTokens?: number
  outputTokens?: number
  /** The model that answered, and the usage as the provider reported it. */
  billed?: { model: string; usage: JsonObject }
}

/** The key of the user's thread. Threads of sub-agents have the id of the call that opened them as key. */
export const FRONT = ''

/** A run as the page shows it: a pure fold of the stream's events. */
export interface RunView {
  phase: 'running' | 'ended'
  runId?: string
  stopping?: CancelMode
  startedAt?: number
  endedAt?: number
  threads: ReadonlyMap<string, readonly Entry[]>
  /** Thread -> the agent that speaks in it now. */
  speakers: ReadonlyMap<string, string>
  modelCalls: readonly ModelCall[]
  /** The messages to append to the history. */
  messages: readonly StoredMessage[]
  cancelled: boolean
  usage?: Usage & { estimated?: boolean }
  chatName?: string
  failure?: Failure
  /** Calls that wait for a decision. */
  approvals: readonly RequestedApproval[]
  /** The place behind other runs of the thread; 1 is next. */
  queuePosition?: number
  /** A broken connection is being replaced. */
  reconnecting?: true
}

export const beginRun = (startedAt?: number): RunView => ({
  phase: 'running',
  ...(startedAt === undefined ? {} : { startedAt }),
  threads: new Map(),
  speakers: new Map(),
  modelCalls: [],
  messages: [],
  cancelled: false,
  approvals: [],
})

/** Returns the view after one more event. `at` is the time of the event; without it, nothing is timed. */
export function followEvent(run: RunView, event: StreamEvent, at?: number): RunView {
  switch (event.kind) {
    case 'meta':
      return { ...run, runId: event.run_id }
    case 'agent':
      return speaks(run, event.parent_run_id ?? FRONT, event.agent)
    case 'text': {
      const thread = event.parent_run_id ?? FRONT
      return changeThread(run, thread, (entries) =>
        append(entries, 'text', String(event.event.item_id ?? ''), event.agent, event.text),
      )
    }
    case 'model':
      return followModel(run, event, at)
    case 'item':
      return followItem(run, event, at)
    case 'error': {
      const thread = event.parent_run_id ?? FRONT
      return changeThread(run, thread, (entries) => [
        ...entries,
        { kind: 'error', id: `error_${entries.length}`, agent: event.agent, text: event.content },
      ])
    }
    case 'messages':
      return {
        ...run,
        messages: event.new_messages,
        cancelled: event.cancelled,
        ...(event.usage === undefined ? {} : { usage: event.usage }),
        ...(event.chat_name === undefined ? {} : { chatName: event.chat_name }),
      }
    case 'end':
      return endRun(run, at)
    case 'custom':
    case 'other':
      return run
    default:
      return event satisfies never
  }
}

/** Returns the view of a run after its last event. */
export function endRun(run: RunView, at?: number, failure?: Failure): RunView {
  const threads = new Map([...run.threads].map(([key, entries]) => [key, entries.map((entry) => cut(entry, at))]))
  const { stopping: _, reconnecting: __, queuePosition: ___, ...rest } = run
  return {
    ...rest,
    phase: 'ended',
    approvals: [],
    threads,
    ...(at === undefined ? {} : { endedAt: at }),
    ...(failure === undefined ? {} : { failure }),
  }
}

/** The error that ended the run: of the connection, or from the stream; undefined when it did not fail. */
export const failureOf = (run: RunView): string | undefined =>
  run.failure?.sentence ?? (run.threads.get(FRONT) ?? []).findLast((entry) => entry.kind === 'error')?.text

/** The agent that has the conversation now: the last speaker of the user's thread. */
export const agentInFront = (run: RunView): string | undefined => run.speakers.get(FRONT)

function followModel(run: RunView, said: StreamEvent & { kind: 'model' }, at: number | undefined): RunView {
  const { event, agent } = said
  const thread = said.parent_run_id ?? FRONT
  const id = String(event.item_id ?? '')
  switch (event.type) {
    case 'response.created':
      return {
        ...speaks(run, thread, agent),
        modelCalls: [...run.modelCalls, { agent, thread, ...timed('startedAt', at) }],
      }
    case 'response.completed':
    case 'response.incomplete':
    case 'response.failed':
      return { ...run, modelCalls: finishModelCall(run.modelCalls, thread, event, at) }
    case 'response.reasoning_summary_text.delta':
    case 'response.reasoning_text.delta':
      return changeThread(run, thread, (entries) =>
        append(entries, 'reasoning', id, agent, String(event.delta ?? ''), at),
      )
    case 'response.reasoning_summary_part.added': // each part of a summary is a paragraph
      return changeThread(run, thread, (entries) =>
        entries.some((entry) => entry.kind === 'reasoning' && entry.id === id && entry.text !== '')
          ? append(entries, 'reasoning', id, agent, '\n\n', at)
          : entries,
      )
    case 'response.function_call_arguments.delta':
    case 'response.mcp_call_arguments.delta':
    case 'response.code_interpreter_call_code.delta':
      return changeCall(
        run,
        thread,
        (call) => call.itemId === id && call.state === 'open',
        (call) => ({
          ...call,
          args: call.args + String(event.delta ?? ''),
        }),
      )
    case 'response.output_item.added':
      return isCall(event.item)
        ? changeThread(run, thread, (entries) => [...entries, newCall(event.item ?? {}, agent)])
        : run
    case 'response.output_item.done':
      return finishItem(run, thread, event, at)
    default:
      return run
  }
}

function finishItem(run: RunView, thread: string, { item = {} }: ModelEvent, at: number | undefined): RunView {
  if (item.type === 'message' || item.type === 'reasoning')
    return changeThread(run, thread, (entries) =>
      entries.map((entry) => (isOpenItem(entry, String(item.id)) ? complete(entry, at) : entry)),
    )
  // The call of a hosted tool is done with its item; a function call only starts then.
  if (!isCall(item) || item.type === 'function_call') return run
  return changeCall(
    run,
    thread,
    (call) => call.itemId === item.id,
    (call) => ({
      ...call,
      state: 'complete',
      output: item,
      ...failed(hostedFailure(item)),
      ...timed('endedAt', at),
    }),
  )
}

/**
 * The failure described by a tool's output; undefined for a result. The wire has no field for it, but every text that this
 * server and the Python original write for a failed call starts with one of these words.
 */
const failureIn = (output: unknown): string | undefined =>
  typeof output === 'string' && /^(Error: |An error occurred )/.test(output) ? output : undefined

/** The failure of a hosted tool. */
function hostedFailure({ status, error }: InputItem): string | undefined {
  if (error != null) return typeof error === 'string' ? error : JSON.stringify(error)
  return status === 'failed' ? 'The provider reports that this tool failed.' : undefined
}

const failed = (failure: string | undefined) => (failure === undefined ? {} : { failure })

function followItem(run: RunView, said: StreamEvent & { kind: 'item' }, at: number | undefined): RunView {
  const thread = ('parent_run_id' in said ? said.parent_run_id : undefined) ?? FRONT
  const { item, agent } = said
  const callId = String(said.call_id ?? item.call_id ?? item.id ?? '')
  const isThis = (call: CallEntry) => call.id === callId
  switch (said.name) {
    case 'tool_called':
    case 'tool_search_called': {
      const known = has(run, thread, callId)
        ? run
        : changeThread(run, thread, (entries) => [...entries, newCall(item, agent ?? '')])
      return changeCall(known, thread, isThis, (call) => ({
        ...call,
        args: typeof item.arguments === 'string' ? item.arguments : call.args,
        ...(call.state === 'open' ? timed('startedAt', at) : {}),
      }))
    }
    case 'tool_output':
      return changeCall(run, thread, isThis, (call) => ({
        ...call,
        state: 'complete',
        output: said.output ?? item.output,
        ...failed(failureIn(said.output ?? item.output) ?? call.failure),
        ...timed('endedAt', at),
      }))
    case 'handoff_requested':
      return changeThread(run, thread, (entries) => [
        ...entries.filter((entry) => entry.id !== callId),
        { kind: 'handoff', id: callId, from: agent ?? '', to: undefined },
      ])
    case 'handoff_occured': {
      const to = said.target_agent ?? agent ?? undefined
      const moved = changeThread(run, thread, (entries) =>
        entries.map((entry) => (entry.kind === 'handoff' && entry.id === callId ? { ...entry, to } : entry)),
      )
      return to === undefined ? moved : speaks(moved, thread, to)
    }
    case 'message_output_created':
      return changeThread(run, thread, (entries) => settleText(entries, item, agent ?? '', at))
    case 'reasoning_item_created':
      return changeThread(run, thread, (entries) => settleReasoning(entries, item, agent ?? '', at))
    default:
      return run
  }
}

/** Adds a message that arrived whole: from a guardrail, or from a model that does not stream. */
function settleText(
  entries: readonly Entry[],
  item: InputItem,
  agent: string,
  at: number | undefined,
): readonly Entry[] {
  const id = String(item.id ?? '')
  const text = textOf(item.content)
  const known = entries.findLastIndex(
    (entry) => entry.kind === 'text' && entry.id === id && text.startsWith(entry.text),
  )
  if (known === -1) return text === '' ? entries : [...entries, { kind: 'text', id, agent, text, state: 'complete' }]
  return entries.map((entry, index) => (index === known ? complete({ ...entry, text } as Entry, at) : entry))
}

function settleReasoning(
  entries: readonly Entry[],
  item: InputItem,
  agent: string,
  at: number | undefined,
): readonly Entry[] {
  const id = String(item.id ?? '')
  if (entries.some((entry) => entry.kind === 'reasoning' && entry.id === id))
    return entries.map((entry) => (isOpenItem(entry, id) ? complete(entry, at) : entry))
  const text = textOf(item.summary) || textOf(item.content)
  return text === '' ? entries : [...entries, { kind: 'reasoning', id, agent, text, state: 'complete' }]
}

/** Appends a delta to the open entry of its item, or adds a new entry. */
function append(
  entries: readonly Entry[],
  kind: 'text' | 'reasoning',
  id: string,
  agent: string,
  piece: string,
  at?: number,
): readonly Entry[] {
  const index = entries.findLastIndex((entry) => entry.kind === kind && isOpenItem(entry, id))
  const known = entries[index]
  if (known === undefined || (known.kind !== 'text' && known.kind !== 'reasoning'))
    return [...entries, { kind, id, agent, text: piece, state: 'open', ...timed('startedAt', at) }]
  return entries.with(index, { ...known, text: known.text + piece })
}

const isOpenItem = (entry: Entry, id: string) =>
  (entry.kind === 'text' || entry.kind === 'reasoning') && entry.id === id && entry.state === 'open'

function complete(entry: Entry, at: number | undefined): Entry {
  if (entry.kind === 'text') return { ...entry, state: 'complete' }
  if (entry.kind === 'reasoning') return { ...entry, state: 'complete', ...timed('endedAt', at) }
  return entry
}

function cut(entry: Entry, at: number | undefined): Entry {
  if (!('state' in entry) || entry.state !== 'open') return entry
  return { ...entry, state: 'cut', ...(entry.kind === 'text' ? {} : timed('endedAt', at)) }
}

const isCall = (item: InputItem | undefined): boolean => /_call$/.test(item?.type ?? '')

const newCall = (item: InputItem, agent: string): CallEntry => ({
  kind: 'call',
  id: String(item.call_id ?? item.id),
  itemId: String(item.id ?? ''),
  agent,
  name: typeof item.name === 'string' ? item.name : (item.type ?? '').replace(/_call$/, ''),
  type: item.type ?? '',
  args: typeof item.arguments === 'string' ? item.arguments : '',
  state: 'open',
})

function finishModelCall(
  calls: readonly ModelCall[],
  thread: string,
  { response }: ModelEvent,
  at: number | undefined,
): readonly ModelCall[] {
  const index = calls.findLastIndex((call) => call.thread === thread && call.endedAt === undefined)
  const call = calls[index]
  if (call === undefined) return calls
  const { input_tokens, output_tokens } = (response?.usage ?? {}) as JsonObject
  return calls.with(index, {
    ...call,
    ...timed('endedAt', at),
    ...(typeof input_tokens === 'number' ? { inputTokens: input_tokens } : {}),
    ...(typeof output_tokens === 'number' ? { outputTokens: output_tokens } : {}),
    ...(typeof response?.model === 'string' && response.usage
      ? { billed: { model: response.model, usage: response.usage as JsonObject } }
      : {}),
  })
}

function speaks(run: RunView, thread: string, agent: string): RunView {
  if (run.speakers.get(thread) === agent) return run
  return { ...run, speakers: new Map(run.speakers).set(thread, agent) }
}

function changeThread(run: RunView, key: string, change: (entries: readonly Entry[]) => readonly Entry[]): RunView {
  const before = run.threads.get(key) ?? []
  const after = change(before)
  return after === before ? run : { ...run, threads: new Map(run.threads).set(key, after) }
}

function changeCall(
  run: RunView,
  thread: string,
  isThis: (call: CallEntry) => boolean,
  change: (call: CallEntry) => CallEntry,
): RunView {
  return changeThread(run, thread, (entries) => {
    const index = entries.findLastIndex((entry) => entry.kind === 'call' && isThis(entry))
    const call = entries[index]
    return call?.kind === 'call' ? entries.with(index, change(call)) : entries
  })
}

const has = (run: RunView, thread: string, id: string) =>
  (run.threads.get(thread) ?? []).some((entry) => entry.id === id)

const timed = <Name extends string>(name: Name, at: number | undefined): { [key in Name]?: number } =>
  (at === undefined ? {} : { [name]: at }) as { [key in Name]?: number }

/** The text of a message's content, or of a list of parts. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: { text?: unknown; refusal?: unknown } | null) => part?.text ?? part?.refusal ?? '')
    .filter((text) => typeof text === 'string' && text !== '')
    .join('\n\n')
}

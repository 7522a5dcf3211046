import type { Role, SendRoute } from '../agency/agency.ts'
import { AgencyContext } from '../agency/context.ts'
import { composeInstructions, handoffReminder } from '../agency/instructions.ts'
import {
  AgencyError,
  depthLimit,
  emptyMessage,
  errorText,
  invalidOutput,
  modelFailed,
  turnLimit,
  unknownTool,
} from '../errors.ts'
import { clean, messageText, toModelItem } from '../messages/items.ts'
import type { Model, ModelResponse, TurnRequest } from '../models/model.ts'
import { addResponse } from '../models/usage.ts'
import { schemaOf } from '../tools/define.ts'
import { runTool, type ToolOutput } from '../tools/run.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem, StoredMessage, Usage } from '../wire/message.ts'
import type { RunEvent, Speaker } from './events.ts'
import { newAgentRunId, type RunPlan } from './plan.ts'
import type { MessageStore } from './store.ts'

/** What the turns of one request share. */
export interface RunState {
  readonly plan: RunPlan
  readonly signal: AbortSignal
  readonly store: MessageStore
  usage: Usage | undefined
  turns: number
  /** "sender to recipient" pairs that are talking right now. */
  readonly busy: Set<string>
  emit(events: readonly RunEvent[], bytes: number): void
  /** Undefined when the reader keeps up. */
  room(): Promise<void> | undefined
  /** True once a stop after the current turn was asked for. */
  stopAfterTurn(): boolean
  save(): Promise<void>
  /** Masks the secrets that the server and this request know. */
  redact(text: string): string
  /** What a failure may tell a model or caller. */
  explain(error: unknown, agent: string): string
}

/** One conversation to hold: the user's with the recipient, or one agent's with another. */
interface Ask {
  agent: string
  caller: string | null
  parentRunId: string | undefined
  input: readonly InputItem[]
  additionalInstructions: string
  depth: number
}

/** A conversation between two turns: plain data but for the role, which is the frozen graph. */
interface Conversation {
  role: Role
  who: Speaker
  readonly ask: Ask
  /** History, incoming items and reminders: what stands before the own items in every model call. */
  readonly base: InputItem[]
  /** Items of this conversation, stored when it ends; nested ones are stored before them by that. */
  readonly own: StoredMessage[]
  lastDirect: StoredMessage
}

type Outcome = { kind: 'next' } | { kind: 'final'; output: unknown }

const BYTES_PER_EVENT = 256

/**
 * Runs the plan's conversation to its end and gives the final output; undefined when a stop after the turn came first.
 * @throws EMPTY_MESSAGE, MODEL_FAILED, UNKNOWN_TOOL, INVALID_OUTPUT, TURN_LIMIT; the signal's reason when the run was aborted.
 *   What was finished until then is in the store in every case.
 */
export async function runLoop(run: RunState): Promise<unknown> {
  const { recipient, input, additionalInstructions } = run.plan
  if (input.length === 0) {
    run.usage = undefined
    throw emptyMessage()
  }
  return converse(run, {
    agent: recipient,
    caller: null,
    parentRunId: undefined,
    input,
    additionalInstructions,
    depth: 0,
  })
}

async function converse(run: RunState, ask: Ask): Promise<unknown> {
  const conversation = open(run, ask)
  if (ask.depth === 0) await run.save()
  try {
    for (;;) {
      const outcome = await step(run, conversation)
      if (outcome.kind === 'final') return outcome.output
      if (ask.depth === 0 && run.stopAfterTurn()) return undefined
    }
  } finally {
    run.store.add(...conversation.own)
  }
}

function open(run: RunState, ask: Ask): Conversation {
  const role = run.plan.agency.role(ask.agent)
  const first = speaker(role, ask, newAgentRunId())
  const base = clean(run.store.thread(ask.agent, ask.caller)).map(toModelItem)
  const incoming = ask.input.map((item) => stored(run, first, { ...item, type: item.type ?? 'message' }))
  run.store.add(...incoming)
  base.push(...incoming.map(toModelItem))
  const who = run.plan.streaming ? speaker(role, ask, newAgentRunId()) : first
  run.emit([{ kind: 'agent', who }], BYTES_PER_EVENT)
  return { role, who, ask, base, own: [], lastDirect: incoming.at(-1) as StoredMessage }
}

const speaker = (role: Role, ask: Ask, agentRunId: string): Speaker => ({
  agent: role.agent.name,
  description: role.agent.description,
  callerAgent: ask.caller,
  agentRunId,
  parentRunId: ask.parentRunId,
})

function stored(run: RunState, who: Speaker, item: InputItem, agentRunId = who.agentRunId): StoredMessage {
  return {
    ...item,
    agent: who.agent,
    callerAgent: who.callerAgent,
    agent_run_id: agentRunId,
    ...(who.parentRunId === undefined ? {} : { parent_run_id: who.parentRunId }),
    run_trace_id: run.plan.traceId,
    history_protocol: 'responses',
    timestamp: Date.now() * 1000,
  }
}

/** One turn: ask the model, then either the final answer or the outputs of its calls. */
async function step(run: RunState, conversation: Conversation): Promise<Outcome> {
  const { maxTurns } = run.plan
  if (maxTurns !== null && run.turns >= maxTurns) throw turnLimit(maxTurns)
  run.turns++
  const { who, role, own } = conversation
  const context = new AgencyContext(run.plan.userContext, who.agent)
  const model = run.plan.provider.model(role.agent.model, who.agent)
  const output = await modelTurn(run, conversation, model, await compose(run, conversation, context))
  const calls = output.filter((item) => item.type === 'function_call')
  const transfers = calls.filter((call) => role.handoffs.has(String(call.name)))
  const announced: RunEvent[] = [
    ...transfers.map((raw) => itemEvent(who, 'handoff_requested', 'handoff_call_item', raw)),
    ...output
      .filter((item) => item.type === 'message')
      .map((raw) => itemEvent(who, 'message_output_created', 'message_output_item', raw)),
  ]
  const stray = calls.find((call) => !knows(role, String(call.name)))
  if (stray !== undefined) throw unknownTool(String(stray.name), who.agent)
  if (calls.length === 0) {
    const final = finalOutput(output, role)
    own.push(...output.map((item) => stored(run, who, item)))
    run.emit(announced, announced.length * BYTES_PER_EVENT)
    return { kind: 'final', output: final }
  }
  own.push(...output.map((item) => stored(run, who, item)))
  if (announced.length > 0) run.emit(announced, announced.length * BYTES_PER_EVENT)
  const winner = transfers[0]
  const jobs = calls
    .filter((call) => call !== winner)
    .map((call) => ({ call, done: answerCall(run, conversation, call, context) }))
  const settled = await Promise.allSettled(jobs.map((job) => job.done))
  run.signal.throwIfAborted()
  const failed = settled.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  const outputs = settled.map((result, index) => ({
    call_id: jobs[index]?.call.call_id,
    output: (result as PromiseFulfilledResult<ToolOutput>).value,
    type: 'function_call_output',
  }))
  own.push(...outputs.map((item) => stored(run, who, item)))
  const told = outputs.map((raw) => itemEvent(who, 'tool_output', 'tool_call_output_item', raw))
  if (told.length > 0) run.emit(told, JSON.stringify(outputs).length + told.length * BYTES_PER_EVENT)
  if (winner !== undefined) transfer(run, conversation, winner)
  return { kind: 'next' }
}

const itemEvent = (
  who: Speaker,
  name: (RunEvent & { kind: 'item' })['name'],
  type: string,
  raw: InputItem,
): RunEvent => ({
  kind: 'item',
  who,
  name,
  type,
  raw,
  source: who,
})

const knows = (role: Role, name: string) => role.tools.has(name) || role.sends.has(name) || role.handoffs.has(name)

async function compose(
  run: RunState,
  { role, base, own, ask }: Conversation,
  context: AgencyContext,
): Promise<TurnRequest> {
  const { agent, schemas } = role
  return {
    instructions: await composeInstructions(
      run.plan.agency.sharedInstructions,
      agent,
      ask.additionalInstructions,
      context,
    ),
    input: [...base, ...own.map(toModelItem)],
    tools: schemas as TurnRequest['tools'],
    settings: agent.modelSettings,
    ...(agent.outputType === undefined
      ? {}
      : { outputSchema: { name: 'final_output', schema: schemaOf(agent.outputType), strict: true } }),
  }
}

/** One model call; the only function that knows whether the run streams. Gives the output items verbatim. */
async function modelTurn(
  run: RunState,
  conversation: Conversation,
  model: Model,
  request: TurnRequest,
): Promise<InputItem[]> {
  const { who, role } = conversation
  const account = (response: ModelResponse) => {
    if (role.agent.modelSettings.includeUsage !== false && run.usage !== undefined)
      run.usage = addResponse(run.usage, model.name, response.usage)
  }
  if (!run.plan.streaming) {
    const response = await model.completeTurn(request, run.signal)
    account(response)
    return response.output
  }
  const items: InputItem[] = []
  let completed: ModelResponse | undefined
  try {
    for await (const { events, texts, bytes } of model.streamTurn(request, run.signal)) {
      const out: RunEvent[] = []
      for (const [index, event] of events.entries()) {
        out.push({ kind: 'model', who, event, text: texts?.[index] })
        if (event.type === 'response.output_item.done' && isObject(event.item)) {
          const item = event.item as InputItem
          items.push(item)
          if (item.type === 'reasoning') out.push(itemEvent(who, 'reasoning_item_created', 'reasoning_item', item))
          else if (item.type?.endsWith('_call')) out.push(itemEvent(who, 'tool_called', 'tool_call_item', item))
        } else if (event.type === 'response.completed') completed = event.response as ModelResponse
        else if (/^(response\.(failed|incomplete)|error)$/.test(event.type)) {
          run.emit(out, bytes)
          throw modelFailed(providerSentence(event))
        }
      }
      run.emit(out, bytes)
      const room = run.room()
      if (room !== undefined) await room
      run.signal.throwIfAborted()
    }
  } catch (error) {
    // What the model had finished stays; the clean-up drops calls that were never answered.
    conversation.own.push(...items.map((item) => stored(run, who, item)))
    throw error
  }
  if (completed === undefined) throw modelFailed("The model's stream ended before the response was complete.")
  account(completed)
  return Array.isArray(completed.output) && completed.output.length > 0 ? completed.output : items
}

function providerSentence(event: { [key: string]: unknown }): string {
  const response = isObject(event.response) ? event.response : event
  const error = isObject(response.error)
    ? response.error
    : isObject(response.incomplete_details)
      ? response.incomplete_details
      : response
  return String(error.message ?? error.reason ?? 'The model reported a failure without a reason.')
}

function finalOutput(output: readonly InputItem[], role: Role): unknown {
  const text = messageText(output.findLast((item) => item.type === 'message') ?? {})
  const { agent } = role
  if (agent.outputType === undefined) return text
  try {
    return agent.outputType.parse(JSON.parse(text))
  } catch (error) {
    throw invalidOutput(agent.name, errorText(error))
  }
}

/** One call -> what the model reads. Rejects only when the whole run has to end. */
function answerCall(
  run: RunState,
  conversation: Conversation,
  call: InputItem,
  context: AgencyContext,
): Promise<ToolOutput> {
  const { role } = conversation
  const name = String(call.name)
  const args = typeof call.arguments === 'string' ? call.arguments : ''
  const route = role.sends.get(name)
  if (route !== undefined) return askAgent(run, conversation, route, String(call.call_id), args)
  const tool = role.tools.get(name)
  if (tool === undefined)
    return Promise.resolve('Error: only the first transfer of a turn counts; this one was ignored.')
  const toolContext = Object.assign(Object.create(context), { toolCallId: String(call.call_id), signal: run.signal })
  // A tool that ignores its signal is abandoned: the run does not wait for it.
  return orAbort(runTool(tool, args, toolContext, run.redact), run.signal)
}

function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<T>()
  const onAbort = () => reject(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', onAbort))
}

async function askAgent(
  run: RunState,
  { who, ask }: Conversation,
  route: SendRoute,
  callId: string,
  argumentsJson: string,
): Promise<string> {
  const request = readAsk(route, argumentsJson)
  if (typeof request === 'string') return request
  const { recipient, message, additional } = request
  if (ask.depth + 1 > run.plan.maxDepth) throw depthLimit(run.plan.maxDepth)
  const pair = JSON.stringify([who.agent, recipient])
  if (run.busy.has(pair))
    return `Error: "${recipient}" is still working on your previous message. Wait for that answer before you send another.`
  run.busy.add(pair)
  try {
    const input = [{ role: 'user', content: message }]
    const output = await converse(run, {
      agent: recipient,
      caller: who.agent,
      parentRunId: callId,
      input,
      additionalInstructions: additional,
      depth: ask.depth + 1,
    })
    return typeof output === 'string' ? output : JSON.stringify(output ?? '')
  } catch (error) {
    run.signal.throwIfAborted()
    if (error instanceof AgencyError && /^(TURN|DEPTH)_LIMIT$/.test(error.code)) throw error
    const reason = run.explain(error, recipient)
    const child: Speaker = {
      agent: recipient,
      description: '',
      callerAgent: who.agent,
      agentRunId: '',
      parentRunId: callId,
    }
    run.emit([{ kind: 'error', who: child, nested: true, content: reason }], BYTES_PER_EVENT)
    return `Error: the agent "${recipient}" could not answer. ${reason}`
  } finally {
    run.busy.delete(pair)
  }
}

/** The fields of a send_message call, or the text that tells the sender what is wrong with them. */
function readAsk(
  route: SendRoute,
  argumentsJson: string,
): string | { recipient: string; message: string; additional: string } {
  const tool = route.via.toolName
  let args: unknown
  try {
    args = JSON.parse(argumentsJson)
  } catch {
    return `Error: the arguments for tool ${tool} are not valid JSON.`
  }
  if (!isObject(args)) return `Error: the arguments for tool ${tool} have to be an object.`
  for (const name of ['recipient_agent', 'message'])
    if (typeof args[name] !== 'string' || args[name] === '') return `Error: tool ${tool} needs the parameter '${name}'.`
  const recipient = route.recipients.get(String(args.recipient_agent).toLowerCase())
  const known = [...route.recipients.values()].map((agent) => agent.name).join(', ')
  if (recipient === undefined)
    return `Error: there is no recipient agent '${args.recipient_agent}'. You can reach: ${known}`
  const extra = route.via.extraParams?.safeParse(args)
  if (extra?.success === false)
    return `Error: the arguments for tool ${tool} do not fit. ${extra.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')}`
  return {
    recipient: recipient.name,
    message: String(args.message),
    additional: String(args.additional_instructions ?? ''),
  }
}

/** Hands the conversation to another agent of the agency: reminder, output of the call, new speaker. */
function transfer(run: RunState, conversation: Conversation, call: InputItem): void {
  const { who: source, role, ask } = conversation
  const handoff = role.handoffs.get(String(call.name))
  if (handoff === undefined) return
  const { target, via } = handoff
  if (via.addReminder) {
    const { agent, callerAgent, agent_run_id, parent_run_id, run_trace_id, history_protocol, timestamp } =
      conversation.lastDirect
    const reminder = { role: 'system', content: handoffReminder(target), message_origin: 'handoff_reminder' }
    const metadata = { agent, callerAgent, agent_run_id, run_trace_id, history_protocol, timestamp: timestamp + 1 }
    conversation.lastDirect = {
      ...reminder,
      ...metadata,
      ...(parent_run_id === undefined ? {} : { parent_run_id }),
    } as StoredMessage
    run.store.add(conversation.lastDirect)
    conversation.base.push(toModelItem(conversation.lastDirect))
  }
  const next = run.plan.agency.role(target.name)
  const mint = () => (run.plan.streaming ? newAgentRunId() : source.agentRunId)
  const between = speaker(next, ask, mint())
  const raw = {
    call_id: call.call_id,
    output: `{"assistant": ${JSON.stringify(target.name)}}`,
    type: 'function_call_output',
  }
  conversation.own.push(stored(run, source, raw, between.agentRunId))
  conversation.role = next
  conversation.who = speaker(next, ask, mint())
  run.emit(
    [
      {
        kind: 'item',
        who: between,
        name: 'handoff_occured',
        type: 'handoff_output_item',
        raw,
        source,
        target: between,
      },
      { kind: 'agent', who: conversation.who },
    ],
    2 * BYTES_PER_EVENT,
  )
}

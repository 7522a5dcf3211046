/** One model call of a turn: its request, its stream, its usage. */
import { composeInstructions } from '../../agency/instructions.ts'
import { dueReminders } from '../../agency/reminders.ts'
import { choosePrompt, withPrompt } from '../../agency/stored-prompt.ts'
import { forEach, inTurns, orAbort } from '../../base/async.ts'
import { type Budget, type Charges, weigh } from '../../base/budget.ts'
import { ANSWER_LIMITS } from '../../base/limits.ts'
import { answerCut, modelFailed, modelRefused } from '../../base/model-errors.ts'
import { addUnstored } from '../../files/attach.ts'
import { cleanForModel } from '../../messages/clean.ts'
import { messageText, refusalOf, toModelItem, toWellFormed } from '../../messages/items.ts'
import { cutReason, failureOf, isTerminal, reasonName } from '../../models/ending.ts'
import type { EventBatch, Model, ModelResponse, ResponseEvent, TurnRequest } from '../../models/model.ts'
import { StreamedItems } from '../../models/streamed-items.ts'
import { TurnCalls } from '../../models/turn-calls.ts'
import { addResponse, countOf, estimateUsage } from '../../models/usage.ts'
import { isObject, isShallow } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import type { RunEvent } from '../events.ts'
import { payFor } from '../ledger.ts'
import type { Ends } from '../span.ts'
import {
  type AgentThread,
  createItemEvent,
  describeEnding,
  findTool,
  keep,
  notify,
  type RunState,
  readProgress,
  toStored,
} from './agent-thread.ts'
import { settleWork, startWork, type Work } from './receipt.ts'
import { toolCalledEvent } from './tool-facts.ts'
import { collectTools } from './tools-for-turn.ts'
import { type FunctionCall, readCall } from './turn-state.ts'

/** One model call that is under way. */
interface ModelCall {
  run: RunState
  thread: AgentThread
  model: Model
  request: TurnRequest
  calls: TurnCalls
  /** What the run holds only while the call goes on. */
  held: Budget
  /** What it came to, for telemetry. */
  spent: Pick<Ends['model'], 'usage' | 'estimated' | 'cost' | 'firstDeltaMs'>
  /** What it came to, for the receipt of a cancel. */
  work: Work
}

/** The answer of one model call. */
export interface ModelAnswer {
  /** The output items, verbatim but for calls: each has an id of its own and arguments that are JSON. */
  items: InputItem[]
  /** The function calls among the items. */
  calls: FunctionCall[]
  /** Why the answer was cut off, such as `max_output_tokens`; undefined for a whole one. */
  cut: string | undefined
}

/**
 * One model call, streamed when the run is.
 * @throws COST_LIMIT and MODEL_NOT_PRICED before the call is made; MODEL_FAILED, and MODEL_REFUSED or ANSWER_CUT for an answer that was cut before it had any content; the signal's reason
 *   when the run was aborted. Items that were finished until then are kept, and what the call has used is counted.
 */
export async function askModel(run: RunState, thread: AgentThread): Promise<ModelAnswer> {
  const { agent } = thread.role
  const model = run.plan.models.model(agent.model, agent.name)
  const held = run.budget.part()
  try {
    run.hold(requestBytes(run, thread), held)
    const request = await compose(run, thread, model)
    await notify(run, thread, 'onLlmStart', request)
    run.signal.throwIfAborted()
    const calls = new TurnCalls(
      request.input,
      request.tools.map(({ name }) => name),
    )
    const spent = { estimated: false, cost: 0, firstDeltaMs: undefined }
    const work = startWork('model', model.name)
    thread.work.calls = [work]
    const call = { run, thread, model, request, calls, held, spent, work }
    countLostCall(call)
    const response = await paid(call).finally(() => settleWork(work, run.plan.now, run.abortedAt))
    await notify(run, thread, 'onLlmEnd', response)
    const { status, incomplete_details: details, output: items } = response
    if (items.length > ANSWER_LIMITS.items) throw tooManyItems()
    keep(run, thread, items)
    const cut = status === 'incomplete' ? reasonName(isObject(details) ? details.reason : undefined) : undefined
    return { items, calls: items.flatMap((item) => toCall(thread, item, calls)), cut }
  } finally {
    held.close()
  }
}

/** The item as a call of the turn; an empty list for any other item. */
function toCall(thread: AgentThread, item: InputItem, { problems }: TurnCalls): FunctionCall[] {
  const call = readCall(item)
  // The provider answers such calls itself where the agent has no tool for them: those of a hosted shell.
  if (call === undefined || (call.native && findTool(thread, call.name)?.native === undefined)) return []
  const { told: problem, half = false } = problems.get(item) ?? {}
  return [{ ...call, problem, half }]
}

/** A model call that a lost process had made was paid for; what it has used can only be guessed. */
function countLostCall(call: ModelCall): void {
  const { restored } = call.thread
  if (restored?.lostModelCall !== true) return
  restored.lostModelCall = false
  account(call, estimateUsage(call.request, 0), true)
}

const tooManyItems = () =>
  modelFailed(`The model's response has more than ${ANSWER_LIMITS.items} output items, which is the limit.`)

/** A request is held as the text that is sent, and as its bytes. */
const COPIES = 2

function requestBytes({ plan }: RunState, { baseBytes, itemBytes, ask }: AgentThread): number {
  return COPIES * (baseBytes + itemBytes + ask.additionalInstructions.length + plan.configBytes)
}

/** How deep an item may be nested: deeper ones could not be written out again. */
const MAX_ITEM_DEPTH = 200
const isItem = (item: unknown): item is InputItem => isObject(item) && isShallow(item, MAX_ITEM_DEPTH)

/** Makes the call within the bounds on what the run may spend. */
function paid(call: ModelCall): Promise<ModelResponse> {
  const { run, model, request, spent } = call
  const { ledger, signal } = run
  const make = (reserved: TurnRequest) => {
    call.request = reserved
    return observed(call)
  }
  return payFor({ ledger, model, request, signal }, make, () => (spent.estimated ? 'unknown' : spent.usage))
}

/** Makes the call inside a span of its own, where telemetry listens. */
async function observed(call: ModelCall): Promise<ModelResponse> {
  const { run, thread, model, request, spent } = call
  const { streaming } = run.plan
  const make = () => (streaming ? streamed(call) : plain(call))
  const span = thread.span?.child('model', { model, request, streaming, agent: thread.who.agent })
  if (span === undefined) return make()
  try {
    const response = await span.inside(make)
    span.end({ response, ...spent })
    return response
  } catch (error) {
    span.end({ ...spent, ...describeEnding(run, error) })
    throw error
  }
}

/** The next model call as a value; also notes that the model has now read the user's messages and the tool outputs. */
async function compose(run: RunState, thread: AgentThread, model: Model): Promise<TurnRequest> {
  const { role, base, items, ask, context, newUserMessage } = thread
  const { agent } = role
  const { agency, unstoredParts, client } = run.plan
  const outputSchema = role.outputSchema ?? (ask.depth === 0 ? client.outputSchema : undefined)
  const said = ask.depth === 0 ? addUnstored(base, unstoredParts) : base
  const { systemReminders } = agent
  const progress = readProgress(thread)
  const reminders =
    systemReminders.length === 0
      ? []
      : await orAbort(dueReminders(systemReminders, agent, context, { newUserMessage, ...progress }), run.signal)
  const instructions = composeInstructions(agency.sharedInstructions, agent, ask.additionalInstructions, context)
  const prompt = agent.prompt && (await orAbort(choosePrompt(agent, agent.prompt, context), run.signal))
  thread.newUserMessage = false
  progress.toolCallsBefore = progress.toolCalls
  const conversation = [...reminders, ...said, ...(await inTurns(items, toModelItem))]
  const input = cleanForModel(conversation, reminders.length + said.length)
  const offered = await collectTools(run, thread, model)
  return {
    agent: agent.name,
    instructions: toWellFormed(
      typeof agent.instructions === 'function' ? await orAbort(instructions, run.signal) : await instructions,
    ),
    input: input instanceof Promise ? await input : input,
    ...offered,
    settings: withPrompt(offered.settings, prompt),
    itemIds: createItemIds(thread),
    ...(outputSchema === undefined ? {} : { outputSchema }),
  }
}

/** The original's names for what a provider does not name (docs/wire.md, "Messages"), counted within one `agent_run_id`. */
function createItemIds({ who, items }: AgentThread): NonNullable<TurnRequest['itemIds']> {
  const prefix = `msg_${who.agentRunId}_`
  return { prefix, from: items.filter(({ id }) => typeof id === 'string' && id.startsWith(prefix)).length }
}

/** Counts what a call has used, at the price of its own model. */
function account(call: ModelCall, usage: ModelResponse['usage'], estimated = usage?.estimated === true): void {
  const { run, thread, model, spent } = call
  const before = run.usage.total_cost
  spent.usage = usage
  spent.estimated = estimated
  call.work.outputTokens = countOf(usage?.output_tokens)
  call.work.estimated = estimated
  if (thread.role.agent.modelSettings.includeUsage === false) run.uncounted = true
  else {
    run.usage = addResponse(run.usage, { model: model.name, usage, price: run.plan.price })
    if (estimated) run.usage.estimated = true
  }
  spent.cost = run.usage.total_cost - before
}

/** The request as its model gets it: what the maker holds on to is charged to the run. */
const withBudget = ({ run, request, held }: ModelCall): TurnRequest => {
  const budget: Charges = { charge: (bytes) => run.hold(bytes, held), release: (bytes) => held.release(bytes) }
  return { ...request, budget }
}

async function plain(call: ModelCall): Promise<ModelResponse> {
  const { run, model, request } = call
  try {
    const response = await model.completeTurn(withBudget(call), run.signal)
    account(call, response.usage)
    return settle(call, response, outputOf(response))
  } catch (error) {
    if (run.signal.aborted) account(call, estimateUsage(request, 0), true)
    throw error
  }
}

/** @throws MODEL_FAILED for what is not an item */
function outputOf({ output }: Partial<ModelResponse>): InputItem[] {
  const items = Array.isArray(output) ? output : []
  if (!items.every(isItem)) throw modelFailed('The model answered with something that is not an item of its API.')
  return items
}

/** The response as both endpoints go on with it. @throws MODEL_FAILED, MODEL_REFUSED, ANSWER_CUT */
function settle({ thread, calls }: ModelCall, response: ModelResponse, output: InputItem[]): ModelResponse {
  const cut = cutReason({ ...response, output })
  const items = calls.settleAll(output, cut)
  if (cut === undefined) return { ...response, output: items }
  if (items.every(saysNothing)) throw cut === 'content_filter' ? modelRefused(cut) : answerCut(thread.who.agent, cut)
  const last = items.findLastIndex((item) => item.type === 'message')
  if (last >= 0) items[last] = { ...items[last], status: 'incomplete' }
  return { ...response, status: 'incomplete', incomplete_details: { reason: cut }, output: items }
}

const saysNothing = (item: InputItem) =>
  item.type === 'reasoning' || (item.type === 'message' && messageText(item) === '' && !refusalOf(item))

/** What has arrived of an answer that is being streamed. */
interface Heard {
  events: number
  chars: number
  items: StreamedItems
  /** How many calls were announced with `tool_called`. */
  announced: number
  completed: ModelResponse | undefined
  usage: ModelResponse['usage']
}

async function streamed(call: ModelCall): Promise<ModelResponse> {
  const { run, thread, model, request, spent } = call
  const began = performance.now()
  const heard: Heard = {
    events: 0,
    chars: 0,
    items: new StreamedItems(),
    announced: 0,
    completed: undefined,
    usage: undefined,
  }
  try {
    await forEach(model.streamTurn(withBudget(call), run.signal), (batch) => {
      hear(call, heard, batch)
      if (heard.chars > 0) spent.firstDeltaMs ??= performance.now() - began
      return goOn(run)
    })
    if (heard.completed === undefined) throw modelFailed("The model's stream ended before the response was complete.")
  } catch (error) {
    // What the model had finished stays; the clean-up drops calls that were never answered.
    const { who } = thread
    thread.items.push(...call.calls.settleAll(heard.items.done(), undefined).map((item) => toStored(run, who, item)))
    // A provider that refused before its first event charges nothing; after a cancel the charge is unknown.
    if (heard.usage) account(call, heard.usage)
    else if (heard.events > 0 || run.signal.aborted) account(call, estimateUsage(request, heard.chars), true)
    throw error
  }
  account(call, heard.usage)
  return settle(call, heard.completed, heard.completed.output)
}

/** Notes what one batch says and passes it on. @throws MODEL_FAILED when the provider says that it failed */
function hear(call: ModelCall, heard: Heard, { events, texts, bytes }: EventBatch): void {
  const { run, held, thread } = call
  const { who } = thread
  const out: RunEvent[] = []
  const chars = heard.chars
  for (let index = 0; index < events.length; index++) {
    const given = events[index] as ResponseEvent
    const event = withMaskedFailure(given, run.redact)
    heard.events++
    out.push({ kind: 'model', who, event, text: event === given ? texts?.[index] : undefined })
    if (typeof event.delta === 'string') {
      heard.chars += event.delta.length
      heard.items.grow(event, event.delta)
    } else if (event.type === 'response.output_item.done' && isItem(event.item)) {
      run.hold(weigh(event.item), held)
      const item = heard.items.finish(event.item, event.output_index)
      if (item !== undefined) out.push(...announce(call, heard, item))
    } else if (isTerminal(event.type)) {
      run.hold(weigh(event.response), held)
      hearEnd(call, heard, event, { out, bytes })
    } else {
      if (/\.(added|done)$/.test(event.type)) run.hold(weigh(event), held) // whole parts may be kept
      heard.items.read(event)
    }
  }
  if (heard.items.size > ANSWER_LIMITS.items) throw tooManyItems()
  if (heard.chars > chars) run.hold(heard.chars - chars, held) // the maker may be putting them together
  run.emit(out, bytes, thread.ask.id)
}

function announce({ thread, calls }: ModelCall, heard: Heard, item: InputItem): RunEvent[] {
  const { who } = thread
  const { type } = item
  if (type === 'reasoning') return [createItemEvent(who, 'reasoning_item_created', 'reasoning_item', item)]
  if (type === 'tool_search_call') return [createItemEvent(who, 'tool_search_called', 'tool_search_call_item', item)]
  if (type === 'tool_search_output')
    return [createItemEvent(who, 'tool_search_output_created', 'tool_search_output_item', item)]
  if (!String(type).endsWith('_call')) return []
  const settled = type === 'function_call' ? calls.settle(item, heard.announced++) : item
  return [toolCalledEvent(thread, settled, () => heard.items.done())]
}

/** The last event, which stands at the end of `out`. */
function hearEnd(
  call: ModelCall,
  heard: Heard,
  event: ResponseEvent,
  { out, bytes }: { out: RunEvent[]; bytes: number },
): void {
  const { run } = call
  const failure = failureOf(event)
  const response = isObject(event.response) ? (event.response as ModelResponse) : undefined
  if (failure === undefined && response === undefined) return
  if (failure !== undefined) {
    heard.events-- // a refusal is no part of an answer
    out.pop() // the provider's own words; ours follow
    run.emit(out, bytes, call.thread.ask.id)
    if (response !== undefined) heard.usage = response.usage
    throw modelFailed(failure.message, failure)
  }
  heard.usage = response?.usage ?? {}
  const output = heard.items.complete(outputOf({ ...response }))
  const late = output.filter(({ type }) => type === 'function_call').slice(heard.announced)
  out.splice(-1, 0, ...late.flatMap((item) => announce(call, heard, item)))
  const status = event.type === 'response.incomplete' ? { status: 'incomplete' } : {}
  heard.completed = { ...response, ...status, output }
}

/**
 * A provider's words about a failure may quote a key; nothing else of a response is touched, since masking what a model said
 * or how it was asked would garble it.
 */
function withMaskedFailure(event: ResponseEvent, redact: (text: string) => string): ResponseEvent {
  if (!isObject(event.response)) return event
  const { error, incomplete_details } = event.response
  if (error == null && incomplete_details == null) return event
  const text = JSON.stringify({ error, incomplete_details })
  if (redact(text) === text) return event
  const masked = JSON.parse(text, (_key, value) => (typeof value === 'string' ? redact(value) : value))
  return { ...event, response: { ...event.response, ...masked } }
}

/** Waits until the reader has room for more. @throws the signal's reason when the run was aborted meanwhile */
function goOn({ room, signal }: RunState): Promise<void> | undefined {
  const waiting = room()
  if (waiting !== undefined) return waiting.then(() => signal.throwIfAborted())
  signal.throwIfAborted()
  return undefined
}

/** Turns AG-UI requests into agency requests. */
import { nothingToAnswer } from '../../base/run-errors.ts'
import { clean } from '../../messages/clean.ts'
import { toModelItem } from '../../messages/items.ts'
import { namesFiles } from '../../runs/attach-files.ts'
import type { AguiMessage, AguiRequest, AguiToolCall } from '../../wire/agui.ts'
import { isObject, type JsonObject, parseInnerJson } from '../../wire/json.ts'
import type { InputItem, StoredMessage } from '../../wire/message.ts'
import type { AgencyRequest } from '../../wire/requests.ts'
import { CODE_INTERPRETER, FILE_SEARCH, toContent } from './parts.ts'
import { CLIENT_ID } from './stored-history.ts'

/**
 * Converts an AG-UI request to the request type that all protocols share. The last message (with its turn) becomes `message`;
 * the messages before it, or `chat_history`, become the history.
 * @param entryAgent owner of messages that name no agent
 * @param keepIds keep the ids of the client's messages in the history
 * @throws NOTHING_TO_ANSWER when there is no message, or the last one is not addressed to an agent
 */
export function toAgencyRequest({ messages, fields }: AguiRequest, entryAgent: string, keepIds = false): AgencyRequest {
  const { chat_history: sent } = fields
  if (messages.length === 0) {
    const last = sent.at(-1)
    if (last === undefined && namesFiles({ fileIds: fields.file_ids, fileUrls: fields.file_urls }))
      return { ...fields, message: '' }
    if (last === undefined) throw nothingToAnswer('messages or chat_history must have at least one message')
    if (last.role === undefined || last.role === 'assistant')
      throw nothingToAnswer('the last entry of chat_history is not addressed to the agent')
    return { ...fields, message: toMessage([toModelItem(last)]), chat_history: sent.slice(0, -1) }
  }
  const cut = findTurnStart(messages)
  const reader = new MessageReader(messages, entryAgent, keepIds)
  const history = reader.read(messages.slice(0, cut))
  const turn = reader.read(messages.slice(cut))
  const isUserThread = ({ callerAgent }: StoredMessage) => callerAgent === null
  return {
    ...fields,
    message: toMessage(clean(turn.filter(isUserThread)).map(toModelItem)),
    chat_history: sent.length > 0 ? sent : [...history, ...turn.filter((item) => !isUserThread(item))],
  }
}

/**
 * A message for a run that the server keeps, and the conversation before it where the server does not know that.
 * @param calls those that the run before has handed to the client; undefined for a conversation that is new to the server
 * @throws NOTHING_TO_ANSWER
 */
export function toStoredTurn(
  request: AguiRequest,
  entryAgent: string,
  calls: readonly InputItem[] | undefined,
): Pick<AgencyRequest, 'message' | 'chat_history'> {
  if (calls !== undefined) return { message: toNextMessage(request, calls), chat_history: [] }
  const { message, chat_history } = toAgencyRequest(request, entryAgent, true)
  const isSaid = request.messages.findLast(isSpoken)?.role === 'user'
  return { message: isSaid ? toNextMessage(request, []) : message, chat_history }
}

/**
 * What the last messages of a conversation ask that the server knows already: a message, with the results of calls that the
 * client was to run.
 * @param calls those that the run before has handed to the client
 * @throws NOTHING_TO_ANSWER
 */
function toNextMessage({ messages, fields }: AguiRequest, calls: readonly InputItem[]): string | InputItem[] {
  const spoken = messages.filter(isSpoken)
  const last = spoken.at(-1)
  if (last === undefined && namesFiles({ fileIds: fields.file_ids, fileUrls: fields.file_urls })) return ''
  if (last === undefined || last.role === 'assistant')
    throw nothingToAnswer('the last message is not addressed to the agent')
  const results = spoken.filter((message): message is AguiResult => message.role === 'tool')
  const answered = calls.flatMap((call) => {
    const result = results.findLast(({ toolCallId }) => isIdOf(toolCallId, call))
    return result === undefined ? [] : [{ call, result }]
  })
  if (last.role === 'tool' && answered.length === 0)
    throw nothingToAnswer(`the client was not asked to run the tool call "${last.toolCallId}"`)
  return [
    ...answered.map(({ call: { id: _, ...call } }) => call),
    ...answered.map(({ call, result }) => toOutput(String(call.call_id), result)),
    ...(last.role === 'tool' ? [] : [toInput(last)]),
  ]
}

type SpokenMessage = Exclude<AguiMessage, { role: 'reasoning' | 'activity' }>
const isSpoken = (message: AguiMessage): message is SpokenMessage =>
  message.role !== 'reasoning' && message.role !== 'activity'

/** Ids that a provider gives again are told apart by a number (`AguiThread.newId`). */
const isIdOf = (toolCallId: string, { call_id }: InputItem) =>
  toolCallId === call_id || toolCallId.replace(/_\d+$/, '') === call_id

const toInput = (message: Extract<AguiMessage, { role: 'user' | 'system' | 'developer' }>): InputItem =>
  message.role === 'user'
    ? { role: 'user', content: toContent(message.content), [CLIENT_ID]: message.id }
    : { role: 'system', content: message.content, [CLIENT_ID]: message.id }

const toOutput = (callId: string, { content, error }: AguiResult): InputItem => ({
  call_id: callId,
  output: content === '' ? (error ?? '') : toContent(content),
  type: 'function_call_output',
})

/** A single user text as a string; anything else as a list of items. */
function toMessage(items: InputItem[]): string | InputItem[] {
  const [only, second] = items
  return second === undefined && only?.role === 'user' && typeof only.content === 'string' ? only.content : items
}

/** Index where the turn to answer starts: the last message, or, when that is a tool result, the one after the last user message. */
function findTurnStart(messages: readonly AguiMessage[]): number {
  const last = messages.findLastIndex(({ role }) => role !== 'reasoning' && role !== 'activity')
  const message = messages[last]
  if (message === undefined || message.role === 'assistant')
    throw nothingToAnswer('the last message is not addressed to the agent')
  if (message.role !== 'tool') return last
  const start = messages.findLastIndex(({ role }) => /^(user|system|developer)$/.test(role)) + 1
  const isCall = (other: AguiMessage) =>
    other.role === 'assistant' && other.toolCalls?.some(({ id }) => id === message.toolCallId)
  if (!messages.slice(start).some(isCall))
    throw nothingToAnswer(`the tool call "${message.toolCallId}" that the last message answers is missing`)
  return start
}

type AguiResult = Extract<AguiMessage, { role: 'tool' }>

/** The owner of a message, in the fields of stored messages. */
type Owner = Pick<StoredMessage, 'agent' | 'callerAgent' | 'agent_run_id' | 'parent_run_id'>

/** Converts AG-UI messages to stored messages. `read` may be called for consecutive parts of the conversation. */
class MessageReader {
  #read: StoredMessage[] = []
  readonly #all: readonly AguiMessage[]
  readonly #entryAgent: string
  readonly #keepIds: boolean
  readonly #calls = new Map<string, { call: AguiToolCall; owner: Owner }>()
  /** Calls whose result has not been read. */
  readonly #unanswered = new Set<string>()
  #results: Map<string, AguiResult> | undefined
  /** The send_message calls whose question was added to the sub-agent's thread. */
  readonly #askedCalls = new Set<string>()

  constructor(all: readonly AguiMessage[], entryAgent: string, keepIds: boolean) {
    this.#all = all
    this.#keepIds = keepIds
    this.#entryAgent = entryAgent
  }

  read(messages: readonly AguiMessage[]): StoredMessage[] {
    this.#read = []
    for (const message of messages) this.#take(message)
    return this.#read
  }

  #take(message: AguiMessage): void {
    const owner = this.#readOwner(message)
    switch (message.role) {
      case 'user':
        this.#answerAll()
        this.#add(owner, { role: 'user', content: toContent(message.content) }, message.id)
        return
      case 'system':
      case 'developer':
        this.#add(owner, { role: 'system', content: message.content }, message.id)
        return
      case 'assistant':
        this.#repeatQuestion(owner)
        if (message.content) {
          this.#answerAll()
          this.#add(owner, { role: 'assistant', content: message.content }, message.id)
        }
        for (const call of message.toolCalls ?? []) {
          this.#calls.set(call.id, { call, owner })
          this.#add(owner, this.#toCall(call))
          if (!isHosted(call)) this.#unanswered.add(call.id)
        }
        return
      case 'tool':
        this.#answer(message)
        return
      case 'reasoning': // providers accept only their own reasoning items, which AG-UI does not transport
      case 'activity':
        return
      default:
        message satisfies never
    }
  }

  /** Adds a result, once per known call. The result of a hosted call is part of the call's item. */
  #answer(result: AguiResult): void {
    const { toolCallId } = result
    const entry = this.#calls.get(toolCallId)
    if (entry === undefined || !this.#unanswered.delete(toolCallId)) return
    this.#add(entry.owner, toOutput(toolCallId, result))
  }

  /** Adds the results of all open calls before the next message, even when the client lists them later. */
  #answerAll(): void {
    for (const id of this.#unanswered) {
      const result = this.#findResult(id)
      if (result !== undefined) this.#answer(result)
    }
    this.#unanswered.clear()
  }

  #findResult(callId: string): AguiResult | undefined {
    if (this.#results === undefined) {
      this.#results = new Map()
      for (const message of this.#all) if (message.role === 'tool') this.#results.set(message.toolCallId, message)
    }
    return this.#results.get(callId)
  }

  #add(owner: Owner, item: InputItem, id?: string): void {
    const known = this.#keepIds && id !== undefined ? { [CLIENT_ID]: id } : {}
    this.#read.push({ ...item, ...known, ...owner, timestamp: Date.now() * 1000 })
  }

  #readOwner({ role, metadata }: AguiMessage): Owner {
    const { agent, callerAgent, agent_run_id, parent_run_id } = metadata ?? {}
    if (typeof agent !== 'string' || /^(user|system|developer)$/.test(role))
      return { agent: this.#entryAgent, callerAgent: null }
    return {
      agent,
      callerAgent: typeof callerAgent === 'string' ? callerAgent : null,
      ...(typeof agent_run_id === 'string' ? { agent_run_id } : {}),
      ...(typeof parent_run_id === 'string' ? { parent_run_id } : {}),
    }
  }

  /** Adds the question from the send_message call to the sub-agent's thread, where it must precede the answer. */
  #repeatQuestion(owner: Owner): void {
    const id = owner.parent_run_id
    if (id === undefined || this.#askedCalls.has(id)) return
    this.#askedCalls.add(id)
    const question = parseArguments(this.#calls.get(id)?.call).message
    if (typeof question === 'string') this.#add(owner, { role: 'user', content: question, type: 'message' })
  }

  #toCall(call: AguiToolCall): InputItem {
    const { name, arguments: json } = call.function
    if (!isHosted(call))
      return { call_id: call.id, type: 'function_call', arguments: json || '{}', name, status: 'completed' }
    const args = parseArguments(call)
    const content = this.#findResult(call.id)?.content
    const parsed = typeof content === 'string' ? parseJson(content) : undefined
    const results = Array.isArray(parsed) ? parsed : undefined
    const hosted = { id: call.id, status: 'completed' }
    if (name === FILE_SEARCH)
      return {
        ...hosted,
        type: 'file_search_call',
        queries: args.queries ?? [],
        results: results ?? args.results ?? [],
      }
    const { code = '', container_id = '' } = args
    return { ...hosted, type: 'code_interpreter_call', code, container_id, outputs: results ?? args.outputs ?? [] }
  }
}

const isHosted = (call: AguiToolCall) => [FILE_SEARCH, CODE_INTERPRETER].includes(call.function.name)

function parseArguments(call: AguiToolCall | undefined): JsonObject {
  const args = call === undefined ? undefined : parseJson(call.function.arguments)
  return isObject(args) ? args : {}
}

function parseJson(json: string): unknown {
  try {
    return parseInnerJson(json)
  } catch {
    return undefined // a model or client may have written anything
  }
}

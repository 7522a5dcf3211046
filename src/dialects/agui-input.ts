import { randomUUID } from 'node:crypto'
import { nothingToAnswer } from '../errors.ts'
import { clean } from '../messages/clean.ts'
import { toModelItem } from '../messages/items.ts'
import { namesFiles } from '../runs/attach-files.ts'
import type { AguiMessage, AguiRequest, AguiToolCall } from '../wire/agui.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'
import type { AgencyRequest } from '../wire/requests.ts'
import { CODE_INTERPRETER, FILE_SEARCH, toContent } from './agui-parts.ts'

/**
 * An AG-UI request as the request that every protocol comes down to: the last message is answered, once; what stands
 * before it, or `chat_history`, is the history.
 * @param entryAgent whose messages are those that do not say it
 * @throws NOTHING_TO_ANSWER
 */
export function toAgencyRequest({ messages, fields }: AguiRequest, entryAgent: string): AgencyRequest {
  const { chat_history: sent } = fields
  if (messages.length === 0) {
    const last = sent.at(-1)
    if (last === undefined && namesFiles({ fileIds: fields.file_ids, fileUrls: fields.file_urls }))
      return { ...fields, message: '' }
    if (last === undefined) throw nothingToAnswer('messages or chat_history has to hold at least one message')
    if (last.role === undefined || last.role === 'assistant')
      throw nothingToAnswer('the last entry of chat_history is no message to the agent')
    return { ...fields, message: asMessage([toModelItem(last)]), chat_history: sent.slice(0, -1) }
  }
  const cut = startOfTurn(messages)
  const reading = new Reading(messages, entryAgent)
  const history = reading.read(messages.slice(0, cut))
  const turn = reading.read(messages.slice(cut))
  const isOwn = ({ callerAgent }: StoredMessage) => callerAgent === null
  return {
    ...fields,
    message: asMessage(clean(turn.filter(isOwn)).map(toModelItem)),
    chat_history: sent.length > 0 ? sent : [...history, ...turn.filter((item) => !isOwn(item))],
  }
}

/**
 * The request as its conversation goes on: notes that came with its files stand before the last message, so that the
 * client keeps them.
 * @param input what the run was asked: notes, then the request's own items
 */
export function withNotes(request: AguiRequest, { message }: AgencyRequest, input: readonly InputItem[]): AguiRequest {
  const own = typeof message === 'string' ? 1 : message.length
  const notes = input.slice(0, Math.max(0, input.length - own)).map(({ content }) => ({
    id: `system_file_urls_${randomUUID().replaceAll('-', '')}`,
    role: 'system' as const,
    content: String(content),
  }))
  return notes.length === 0 ? request : { ...request, messages: request.messages.toSpliced(-1, 0, ...notes) }
}

/** A single text of the user travels as a text. */
function asMessage(items: InputItem[]): string | InputItem[] {
  const [only, more] = items
  return more === undefined && only?.role === 'user' && typeof only.content === 'string' ? only.content : items
}

/** Where the part to answer begins: at the last message or, when that is a tool's result, after the user's last. */
function startOfTurn(messages: readonly AguiMessage[]): number {
  const last = messages.findLastIndex(({ role }) => role !== 'reasoning' && role !== 'activity')
  const message = messages[last]
  if (message === undefined || message.role === 'assistant')
    throw nothingToAnswer('the last message is no message to the agent')
  if (message.role !== 'tool') return last
  const start = messages.findLastIndex(({ role }) => /^(user|system|developer)$/.test(role)) + 1
  const isCall = (other: AguiMessage) =>
    other.role === 'assistant' && other.toolCalls?.some(({ id }) => id === message.toolCallId)
  if (!messages.slice(start).some(isCall))
    throw nothingToAnswer(`the tool call "${message.toolCallId}" that the last message answers is missing`)
  return start
}

type AguiResult = Extract<AguiMessage, { role: 'tool' }>

/** Whose a message is, as stored messages say it. */
type Owner = Pick<StoredMessage, 'agent' | 'callerAgent' | 'agent_run_id' | 'parent_run_id'>

/** Reads a conversation into stored messages, piece by piece. */
class Reading {
  #read: StoredMessage[] = []
  readonly #all: readonly AguiMessage[]
  readonly #entryAgent: string
  readonly #calls = new Map<string, { call: AguiToolCall; owner: Owner }>()
  /** Calls whose result was not read yet. */
  readonly #unanswered = new Set<string>()
  #results: Map<string, AguiResult> | undefined
  /** Calls of send_message whose sub-agent has spoken. */
  readonly #asked = new Set<string>()

  constructor(all: readonly AguiMessage[], entryAgent: string) {
    this.#all = all
    this.#entryAgent = entryAgent
  }

  read(messages: readonly AguiMessage[]): StoredMessage[] {
    this.#read = []
    for (const message of messages) this.#take(message)
    return this.#read
  }

  #take(message: AguiMessage): void {
    const owner = this.#ownerOf(message)
    switch (message.role) {
      case 'user':
        this.#answerAll()
        this.#add(owner, { role: 'user', content: toContent(message.content) })
        return
      case 'system':
      case 'developer':
        this.#add(owner, { role: 'system', content: message.content })
        return
      case 'assistant':
        this.#repeatQuestion(owner)
        if (message.content) {
          this.#answerAll()
          this.#add(owner, { role: 'assistant', content: message.content })
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
      case 'reasoning': // a provider takes back only its own items, which do not travel in AG-UI
      case 'activity':
        return
      default:
        message satisfies never
    }
  }

  /** A call is answered once, and only one that was made; a hosted call's own item holds what it gave. */
  #answer({ toolCallId, content, error }: AguiResult): void {
    const known = this.#calls.get(toolCallId)
    if (known === undefined || !this.#unanswered.delete(toolCallId)) return
    const output = content === '' ? (error ?? '') : toContent(content)
    this.#add(known.owner, { call_id: toolCallId, output, type: 'function_call_output' })
  }

  /** Results that a client lists later still stand before what was said after them. */
  #answerAll(): void {
    for (const id of this.#unanswered) {
      const result = this.#resultOf(id)
      if (result !== undefined) this.#answer(result)
    }
    this.#unanswered.clear()
  }

  #resultOf(callId: string): AguiResult | undefined {
    if (this.#results === undefined) {
      this.#results = new Map()
      for (const message of this.#all) if (message.role === 'tool') this.#results.set(message.toolCallId, message)
    }
    return this.#results.get(callId)
  }

  #add(owner: Owner, item: InputItem): void {
    this.#read.push({ ...item, ...owner, timestamp: Date.now() * 1000 })
  }

  #ownerOf({ role, metadata }: AguiMessage): Owner {
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

  /** What a sub-agent was asked stands in the call of send_message alone; its own thread needs the question before the answer. */
  #repeatQuestion(owner: Owner): void {
    const id = owner.parent_run_id
    if (id === undefined || this.#asked.has(id)) return
    this.#asked.add(id)
    const question = argumentsOf(this.#calls.get(id)?.call).message
    if (typeof question === 'string') this.#add(owner, { role: 'user', content: question, type: 'message' })
  }

  #toCall(call: AguiToolCall): InputItem {
    const { name, arguments: json } = call.function
    if (!isHosted(call))
      return { call_id: call.id, type: 'function_call', arguments: json || '{}', name, status: 'completed' }
    const args = argumentsOf(call)
    const given = this.#resultOf(call.id)?.content
    const parsed = typeof given === 'string' ? parseJson(given) : undefined
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

function argumentsOf(call: AguiToolCall | undefined): JsonObject {
  const args = call === undefined ? undefined : parseJson(call.function.arguments)
  return isObject(args) ? args : {}
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined // a model or client wrote it
  }
}

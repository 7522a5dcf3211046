/** A model that answers as a test says: no key, no network. */
import { scriptEnded } from '../base/errors.ts'
import { modelFailed } from '../base/model-errors.ts'
import { optionNames, refuseUnknown } from '../base/options.ts'
import { invalidOption } from '../base/start-errors.ts'
import { messageText } from '../messages/items.ts'
import { newId } from '../models/ids.ts'
import type { EventBatch, Model, ModelResponse, ResponseUsage, TurnRequest } from '../models/model.ts'
import { playBack } from '../models/playback.ts'
import { estimateUsage } from '../models/usage.ts'
import { toToolNames } from '../tools/names.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'

/** What a model was asked: instructions, conversation, tools and settings of one call. */
export type ModelRequest = Omit<TurnRequest, 'budget' | 'onRetry' | 'itemIds'>

/** One tool call of a scripted answer. */
export interface ScriptedCall {
  /** The name of the tool. */
  name: string
  /** The arguments; a text is sent as it is, even when it is not JSON. @default {} */
  arguments?: object | string
  /** @default a random id */
  id?: string
}

/** One answer of a scripted model. Reasoning comes first, then the text, then the calls, then the error. */
export interface ScriptedTurn {
  /** Only for the agent of this name. @default any agent */
  agent?: string
  /** Only when the last user message of the request contains this text, or matches. @default any request */
  match?: string | RegExp | ((request: ModelRequest) => boolean)
  text?: string
  reasoning?: string
  calls?: readonly ScriptedCall[]
  /** The text as the pieces that a stream sends. Replaces `text`. @default a word or two at a time */
  deltas?: readonly string[]
  /** Output items of the Responses API, sent as they are after everything else. */
  items?: readonly InputItem[]
  /** Why the answer breaks off: `max_output_tokens` or `content_filter`. @default a whole answer */
  cut?: string
  /** The call fails after what else there is: with MODEL_FAILED and this text, or with this error. */
  error?: string | Error
  /** The usage that the model reports. @default an estimate: 4 characters count as one token */
  usage?: ResponseUsage
}

/** An answer: a text, its parts, or a function that makes it when it is asked for. */
export type ScriptedAnswer = string | ScriptedTurn | AnswerFunction
type AnswerFunction = (
  request: ModelRequest,
  signal: AbortSignal,
) => string | ScriptedTurn | Promise<string | ScriptedTurn>

/** Answers in order, answers by agent, or a function that makes every answer. */
export type Script =
  | readonly ScriptedAnswer[]
  | { readonly [agent: string]: readonly ScriptedAnswer[] }
  | AnswerFunction

/** A model that answers as its script says. It notes every request. */
export interface ScriptedModel extends Model {
  /** What it was asked, oldest first; at most the newest 1,000 requests. */
  readonly requests: readonly ModelRequest[]
  /** How many answers are left. Infinity for a function. */
  readonly remaining: number
}

/** The most requests that a scripted model keeps. */
const MAX_REQUESTS = 1_000

const TURN = optionNames<ScriptedTurn>({
  agent: true,
  match: true,
  text: true,
  reasoning: true,
  calls: true,
  deltas: true,
  items: true,
  cut: true,
  error: true,
  usage: true,
})

interface Entry {
  agent?: string | undefined
  match?: ScriptedTurn['match']
  answer: ScriptedAnswer
}

/**
 * Makes a model that answers in order: each request gets the first answer left that is for its agent and matches. Pass it as
 * `model` to agents, or to `override()`. It works in process and behind a server, with and without streams.
 * @param options.name the name under which prices are looked up. Default: `scripted`, which costs nothing
 * @throws INVALID_OPTION for a value that is not an answer; the model throws SCRIPT_ENDED for a request without an answer
 */
export function script(answers: Script, { name = 'scripted' }: { name?: string } = {}): ScriptedModel {
  const entries = typeof answers === 'function' ? undefined : readEntries(answers)
  const total = entries?.length ?? 0
  const requests: ModelRequest[] = []
  let asked = 0
  // Kept for later requests: a caller reads the failure of its sub-agent as a text, and would go on with the next answer.
  let ended: Error | undefined

  const respond = async (
    given: TurnRequest,
    signal: AbortSignal,
  ): Promise<{ response: ModelResponse; turn: ScriptedTurn }> => {
    const request = snapshot(given)
    asked++
    requests.push(request)
    if (requests.length > MAX_REQUESTS) requests.shift()
    if (ended !== undefined) throw ended
    const answer = entries === undefined ? (answers as AnswerFunction) : takeAnswer(entries, request)
    if (answer === undefined) {
      ended = scriptEnded(describeEnd(entries ?? [], request, { asked, total }))
      throw ended
    }
    const made = typeof answer === 'function' ? await answer(request, signal) : answer
    const turn = readTurn(made, 'The answer that a function of script() made')
    return { response: toResponse(turn, request), turn }
  }

  return {
    name,
    requests,
    get remaining() {
      return entries?.length ?? Number.POSITIVE_INFINITY
    },
    async completeTurn(request, signal) {
      const { response, turn } = await respond(request, signal)
      if (turn.error !== undefined) throw toError(turn.error)
      return response
    },
    async *streamTurn(request, signal): AsyncGenerator<EventBatch> {
      const { response, turn } = await respond(request, signal)
      const { deltas, error } = turn
      for (const event of playBack(response, deltas && ((text) => (text === deltas.join('') ? deltas : [text])))) {
        if (error !== undefined && event.response === response) break
        yield { events: [event], bytes: JSON.stringify(event).length }
      }
      if (error !== undefined) throw toError(error)
    },
  }
}

/** An answer that calls a tool. */
export const callTool = (name: string, args: object = {}): ScriptedTurn => ({ calls: [{ name, arguments: args }] })

/**
 * An answer that asks another agent of the agency with `send_message`.
 * @param fields more fields of the call, such as `additional_instructions` and those of a SendMessage class of yours
 */
export const askAgent = (agent: string, message: string, fields: object = {}): ScriptedTurn =>
  callTool('send_message', { recipient_agent: agent, message, additional_instructions: '', ...fields })

/** An answer that hands the conversation to another agent. */
export const handOffTo = (agent: string): ScriptedTurn =>
  callTool(toToolNames([agent], { prefix: 'transfer_to_' })[0] as string, { recipient_agent: agent })

function readEntries(answers: Exclude<Script, AnswerFunction>): Entry[] {
  if (Array.isArray(answers))
    return answers.map((answer, index) => readEntry(answer, `Answer ${index + 1} of script()`))
  if (!isObject(answers)) throw invalidOption('script() takes a list of answers: script(["Hello"]).')
  return Object.entries(answers).flatMap(([agent, list]) => {
    if (!Array.isArray(list))
      throw invalidOption(
        `script() takes a list of answers for each agent: script({ ${JSON.stringify(agent)}: ["Hello"] }).`,
      )
    return list.map((answer, index) => ({
      ...readEntry(answer, `Answer ${index + 1} of agent "${agent}" in script()`),
      agent,
    }))
  })
}

function readEntry(answer: ScriptedAnswer, owner: string): Entry {
  if (typeof answer === 'function') return { answer }
  const { agent, match } = readTurn(answer, owner)
  return { agent, match, answer }
}

/** @throws INVALID_OPTION */
function readTurn(answer: string | ScriptedTurn, owner: string): ScriptedTurn {
  if (typeof answer === 'string') return { text: answer }
  if (!isObject(answer)) throw invalidOption(`${owner} must be a text or an object such as { text: "Hello" }.`)
  refuseUnknown(owner, answer, TURN)
  return answer
}

function takeAnswer(entries: Entry[], request: ModelRequest): ScriptedAnswer | undefined {
  const index = entries.findIndex((entry) => isFor(entry, request))
  return index < 0 ? undefined : entries.splice(index, 1)[0]?.answer
}

function describeEnd(
  entries: readonly Entry[],
  request: ModelRequest,
  { asked, total }: { asked: number; total: number },
): string {
  const who = request.agent === undefined ? '' : ` of agent "${request.agent}"`
  const left =
    entries.length === 0
      ? `All ${total} answers are used.`
      : `The ${entries.length} answers left are for: ${entries.slice(0, 5).map(describeEntry).join('; ')}.`
  return `request ${asked}${who}, which was asked ${describeRequest(request)}. ${left}`
}

function isFor({ agent, match }: Entry, request: ModelRequest): boolean {
  if (agent !== undefined && agent !== request.agent) return false
  if (match === undefined) return true
  if (typeof match === 'function') return match(request)
  const text = lastUserText(request)
  return typeof match === 'string' ? text.includes(match) : text.search(match) >= 0
}

const describeEntry = ({ agent, match }: Entry): string =>
  [
    agent === undefined ? 'any agent' : `agent "${agent}"`,
    ...(match === undefined ? [] : [`matching ${typeof match === 'function' ? 'a function' : String(match)}`]),
  ].join(', ')

/** The newest item that the model was asked to answer, in one short text. */
function describeRequest({ input, tools }: ModelRequest): string {
  const last = input.at(-1) ?? {}
  const text =
    last.type === 'function_call_output' ? `to go on after the output ${quote(last.output)}` : quote(messageText(last))
  return `${text}${tools.length === 0 ? '' : `, with the tools ${tools.map((tool) => tool.name).join(', ')}`}`
}

const MAX_QUOTED_CHARS = 200
function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '')
  return JSON.stringify(text.length > MAX_QUOTED_CHARS ? `${text.slice(0, MAX_QUOTED_CHARS)}...` : text)
}

const lastUserText = ({ input }: ModelRequest): string =>
  messageText(input.findLast(({ role }) => role === 'user') ?? {})

/** The request as it is now: the conversation of the run goes on to grow. */
export function snapshot({ budget, onRetry, itemIds, ...request }: TurnRequest): ModelRequest {
  return structuredClone(request)
}

const toError = (error: string | Error): Error => (typeof error === 'string' ? modelFailed(error) : error)

function toResponse(turn: ScriptedTurn, request: ModelRequest): ModelResponse {
  const { reasoning, deltas, calls = [], items = [], cut } = turn
  const text = deltas?.join('') ?? turn.text
  const output: InputItem[] = [
    ...(reasoning === undefined
      ? []
      : [{ id: newId('rs'), type: 'reasoning', summary: [{ type: 'summary_text', text: reasoning }] }]),
    ...(text === undefined ? [] : [toMessage(text)]),
    ...calls.map(toCall),
    ...items.map((item) => structuredClone(item)),
  ]
  const estimated = estimateUsage(request, JSON.stringify(output).length)
  return {
    id: newId('resp'),
    status: cut === undefined ? 'completed' : 'incomplete',
    ...(cut === undefined ? {} : { incomplete_details: { reason: cut } }),
    output,
    usage: turn.usage ?? estimated,
  }
}

const toMessage = (text: string): InputItem => ({
  id: newId('msg'),
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})

const toCall = ({ name, arguments: args = {}, id = newId('call') }: ScriptedCall): InputItem => ({
  id: newId('fc'),
  type: 'function_call',
  status: 'completed',
  call_id: id,
  name,
  arguments: typeof args === 'string' ? args : JSON.stringify(args),
})

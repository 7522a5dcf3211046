/** What happened in a run, read from its messages. */
import { invalidOption } from '../base/start-errors.ts'
import { messageText } from '../messages/items.ts'
import { readNativeCall } from '../messages/native-calls.ts'
import { isObject } from '../wire/json.ts'
import type { StoredMessage, Usage } from '../wire/message.ts'

/** A tool call of a run. */
export interface CallFact {
  tool: string
  agent: string
  /** As the model sent them; the text itself when it is not JSON. */
  arguments: unknown
  /** What the model read; undefined for a call without an output. */
  output: unknown
}

/** What happened in a run. */
export interface RunFacts {
  /** Calls of tools, in stored order; without send_message and handoffs. */
  calls: readonly CallFact[]
  /** Messages from agent to agent. */
  delegations: readonly { from: string; to: string; message: string }[]
  handoffs: readonly { from: string; to: string }[]
  /** The final answer: a text or a value. */
  answer: unknown
  /** US dollars; undefined when no agent counts usage. */
  costUsd: number | undefined
}

/** A result in process, an answer over HTTP, a stored run, or a list of stored messages. */
export type RunResult<Output = unknown> =
  | {
      readonly newMessages: readonly StoredMessage[]
      readonly finalOutput: Output
      readonly usage?: Usage | undefined
    }
  | {
      readonly new_messages: readonly Partial<StoredMessage>[] | null
      readonly response: Output
      readonly usage?: Usage | null | undefined
    }
  | readonly Partial<StoredMessage>[]

/** @throws INVALID_OPTION for a value that has no messages */
export function readFacts(result: RunResult): RunFacts {
  const { messages, answer, usage } = readResult(result)
  const outputs = new Map(messages.filter(isOutput).map((message) => [message.call_id ?? message.id, message.output]))
  const all = messages.flatMap((message) => {
    const call = readCall(message)
    return call === undefined ? [] : [{ ...call, agent: String(message.agent), output: outputs.get(message.call_id) }]
  })
  return {
    calls: all.filter((call) => recipientOf(call) === undefined && newAgentOf(call) === undefined),
    delegations: all.flatMap((call) => {
      const to = recipientOf(call)
      const { message } = call.arguments as { message?: unknown }
      return to === undefined ? [] : [{ from: call.agent, to, message: String(message ?? '') }]
    }),
    handoffs: all.flatMap((call) => {
      const to = newAgentOf(call)
      return to === undefined ? [] : [{ from: call.agent, to }]
    }),
    answer,
    costUsd: usage?.total_cost,
  }
}

interface ReadResult {
  messages: readonly Partial<StoredMessage>[]
  answer: unknown
  usage: Usage | null | undefined
}

function readResult(result: RunResult): ReadResult {
  if (Array.isArray(result)) return { messages: result, answer: lastText(result), usage: undefined }
  if (isObject(result)) {
    if ('newMessages' in result && Array.isArray(result.newMessages))
      return { messages: result.newMessages, answer: result.finalOutput, usage: result.usage }
    if ('new_messages' in result)
      return { messages: result.new_messages ?? [], answer: result.response, usage: result.usage }
  }
  throw invalidOption(
    'expectRun() takes the result of getResponse(), the finalResult of a stream, an answer or stored run of the client, or a list of stored messages. Did you forget an await?',
  )
}

/** The last answer to the user. */
const lastText = (messages: readonly Partial<StoredMessage>[]): string =>
  messageText(messages.findLast(({ role, callerAgent }) => role === 'assistant' && callerAgent == null) ?? {})

const isOutput = ({ type }: Partial<StoredMessage>) => type?.endsWith('_call_output') === true

/** The tool and the arguments of a call that this process answers; undefined for any other message. */
export function readCall(message: Partial<StoredMessage>): Pick<CallFact, 'tool' | 'arguments'> | undefined {
  if (message.type === 'function_call') return { tool: String(message.name), arguments: parse(message.arguments) }
  const native = readNativeCall(message)
  return native && { tool: native.name, arguments: native.args }
}

/** The agent that a send_message call asks. */
function recipientOf({ tool, arguments: args }: CallFact): string | undefined {
  if (!tool.startsWith('send_message') || !isObject(args)) return undefined
  return typeof args.recipient_agent === 'string' ? args.recipient_agent : undefined
}

/** The agent that a handoff made the new speaker: its output names it. */
function newAgentOf({ tool, output }: CallFact): string | undefined {
  if (!tool.startsWith('transfer_to_')) return undefined
  const parsed = parse(output)
  return isObject(parsed) && typeof parsed.assistant === 'string' ? parsed.assistant : undefined
}

/** The value of a JSON text; other values as they are. */
export function parse(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value // a model may write arguments that are not JSON
  }
}

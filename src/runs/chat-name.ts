/** Asks a model for the name of a conversation. */
import type { Charges } from '../base/budget.ts'
import { modelFailed } from '../base/model-errors.ts'
import { messageText, toModelItem } from '../messages/items.ts'
import type { ModelResponse, TurnRequest } from '../models/model.ts'
import { DEFAULT_MODEL } from '../models/spec.ts'
import { isObject, parseInnerJson } from '../wire/json.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'
import { type Ledger, payFor } from './ledger.ts'
import type { RunPlan } from './plan.ts'

const INSTRUCTIONS = `Name this conversation, so that a person finds it again in a list.
You are given its newest items as JSON: what the user wrote first, then what the assistants made of it. Go by the user's first message; where it says little (a greeting, "go on"), go by the rest.
The name has 2 to 6 words, in title case and in the user's language, without punctuation, quotes or emojis, and without names of tools or models.
Answer with JSON: {"chat_name": "the name"}`
const TOO_LONG_OR_SHORT = 'A name has to have 2 to 6 words. Give another one.'
const RETRIES = 3
const INPUT_CHARS = 1000
const NAME_CHARS = 200
const TIMEOUT_MS = 30_000
const OUTPUT = {
  name: 'final_output',
  strict: true,
  schema: {
    type: 'object',
    properties: { chat_name: { type: 'string', description: 'A name that fits the conversation.' } },
    required: ['chat_name'],
    additionalProperties: false,
  },
}

/**
 * A name for what a run added to a conversation. The call goes the way of the run's first agent, with its address, key and
 * headers (models/resolve.ts says which model it asks there). It is not part of the run's usage, but counts towards its bounds.
 * @throws COST_LIMIT, MODEL_NOT_PRICED; MODEL_FAILED when there is no name of 2 to 6 words after three retries; the signal's reason; after 30 s a
 *   TimeoutError
 */
export async function nameChat(
  { agency, recipient, models }: RunPlan,
  added: readonly StoredMessage[],
  signal: AbortSignal,
  { budget, ledger }: { budget?: Charges; ledger?: Ledger | undefined } = {},
): Promise<string> {
  const { agent } = agency.role(recipient)
  const model = models.namer(agent.model, recipient)
  const { extraHeaders } = agent.modelSettings
  const request = {
    instructions: INSTRUCTIONS,
    tools: [],
    settings: {
      ...(model.name === DEFAULT_MODEL ? { store: false } : {}), // others may not know the field
      ...(extraHeaders === undefined ? {} : { extraHeaders }),
    },
    outputSchema: OUTPUT,
    ...(budget === undefined ? {} : { budget }),
  }
  const limited = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
  let input: InputItem[] = [{ type: 'message', role: 'user', content: describeItems(added) }]
  for (let attempt = 0; attempt <= RETRIES; attempt++) {
    let usage: ModelResponse['usage']
    const ask = async (asked: TurnRequest) => {
      const response = await model.completeTurn(asked, limited)
      usage = response.usage
      return response
    }
    const call = { ledger, model, request: { ...request, input }, signal: limited }
    const { output } = await payFor(call, ask, () => usage)
    const name = readName(output)
    if (/^\S+( \S+){1,5}$/.test(name) && name.length <= NAME_CHARS) return name
    // The user's word: some models refuse a conversation whose last message is their own.
    input = [...input, ...output, { type: 'message', role: 'user', content: TOO_LONG_OR_SHORT }]
  }
  throw modelFailed('The model gave no name of 2 to 6 words.')
}

/** The system's notes and embedded files say nothing about what the conversation is about. */
function describeItems(added: readonly StoredMessage[]): string {
  const items = added.filter((message) => message.role !== 'system').map(toModelItem)
  const text = JSON.stringify(items, (_, value: unknown) =>
    typeof value === 'string' ? value.slice(0, value.startsWith('data:') ? 'data:'.length : INPUT_CHARS) : value,
  )
  return text.length > INPUT_CHARS ? `The first ${INPUT_CHARS} characters:\n${text.slice(0, INPUT_CHARS)}` : text
}

function readName(output: readonly InputItem[]): string {
  const text = messageText(output.findLast((item) => item.type === 'message') ?? {})
  try {
    // Models that take no schema may put the object into a block of code.
    const answer = parseInnerJson(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1))
    if (isObject(answer) && typeof answer.chat_name === 'string') return answer.chat_name.trim().replace(/\s+/g, ' ')
  } catch {} // reported below
  throw modelFailed('The model answered the question for a name with something else.')
}

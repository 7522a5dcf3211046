import { composeInstructions } from '../agency/instructions.ts'
import { dueReminders } from '../agency/reminders.ts'
import { modelFailed } from '../errors.ts'
import { toModelItem } from '../messages/items.ts'
import type { Model, ModelResponse, TurnRequest } from '../models/model.ts'
import { addResponse } from '../models/usage.ts'
import { schemaOf } from '../tools/define.ts'
import { orAbort } from '../waits.ts'
import { isObject, isShallow } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import { type Conversation, itemEvent, notify, type RunState, stored } from './conversation.ts'
import type { RunEvent } from './events.ts'

/**
 * One model call; the only place that knows whether the run streams. Gives the output items verbatim.
 * @throws MODEL_FAILED; the signal's reason when the run was aborted. Items that were finished until then are kept.
 */
export async function askModel(run: RunState, conversation: Conversation): Promise<InputItem[]> {
  const { agent } = conversation.role
  const model = run.plan.provider.model(agent.model, agent.name)
  const request = await compose(run, conversation)
  await notify(run, conversation, 'onLlmStart', request)
  const response = run.plan.streaming
    ? await streamed(run, conversation, model, request)
    : await plain(run, conversation, model, request)
  if (!response.output.every(isItem)) throw modelFailed('The model answered with something that is no item of its API.')
  await notify(run, conversation, 'onLlmEnd', response)
  return response.output
}

/** How deep an item may be nested: deeper ones could not be written out again. */
const MAX_ITEM_DEPTH = 200
const isItem = (item: unknown): item is InputItem => isObject(item) && isShallow(item, MAX_ITEM_DEPTH)

/** The next model call as a value; also notes that the model has now heard the user and the tools. */
async function compose(run: RunState, conversation: Conversation): Promise<TurnRequest> {
  const { role, base, own, ask, context } = conversation
  const { agent, schemas } = role
  const { sharedInstructions } = run.plan.agency
  const { systemReminders } = agent
  const reminders =
    systemReminders.length === 0
      ? []
      : await orAbort(dueReminders(systemReminders, agent, context, conversation), run.signal)
  const instructions = composeInstructions(sharedInstructions, agent, ask.additionalInstructions, context)
  conversation.newUserMessage = false
  conversation.toolCallsBefore = conversation.toolCalls
  return {
    instructions:
      typeof agent.instructions === 'function' ? await orAbort(instructions, run.signal) : await instructions,
    input: [...reminders, ...base, ...own.map(toModelItem)],
    tools: schemas,
    settings: agent.modelSettings,
    ...(agent.outputType === undefined
      ? {}
      : { outputSchema: { name: 'final_output', schema: schemaOf(agent.outputType), strict: true } }),
  }
}

function account(run: RunState, { role }: Conversation, model: Model, response: ModelResponse): void {
  if (role.agent.modelSettings.includeUsage !== false && run.usage !== undefined)
    run.usage = addResponse(run.usage, model.name, response.usage)
}

async function plain(
  run: RunState,
  conversation: Conversation,
  model: Model,
  request: TurnRequest,
): Promise<ModelResponse> {
  const response = await model.completeTurn(request, run.signal)
  if (response.status === 'failed') throw modelFailed(providerSentence(response))
  account(run, conversation, model, response)
  return response
}

async function streamed(
  run: RunState,
  conversation: Conversation,
  model: Model,
  request: TurnRequest,
): Promise<ModelResponse> {
  const { who } = conversation
  const items: InputItem[] = []
  let completed: ModelResponse | undefined
  try {
    for await (const { events, texts, bytes } of model.streamTurn(request, run.signal)) {
      const out: RunEvent[] = []
      for (const [index, event] of events.entries()) {
        out.push({ kind: 'model', who, event, text: texts?.[index] })
        if (event.type === 'response.output_item.done' && isItem(event.item)) {
          const { item } = event
          items.push(item)
          if (item.type === 'reasoning') out.push(itemEvent(who, 'reasoning_item_created', 'reasoning_item', item))
          else if (String(item.type).endsWith('_call')) out.push(itemEvent(who, 'tool_called', 'tool_call_item', item))
        } else if (event.type === 'response.completed' && isObject(event.response))
          completed = event.response as ModelResponse
        else if (/^(response\.(failed|incomplete)|error)$/.test(event.type)) {
          if (event.type !== 'response.incomplete') out.pop() // the provider's own words; ours follow
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
  account(run, conversation, model, completed)
  const output = Array.isArray(completed.output) && completed.output.length > 0 ? completed.output : items
  return { ...completed, output }
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

import { type Role, toSchema } from '../agency/agency.ts'
import { composeInstructions } from '../agency/instructions.ts'
import { dueReminders } from '../agency/reminders.ts'
import { modelFailed } from '../errors.ts'
import { toModelItem } from '../messages/items.ts'
import type { Model, ModelResponse, ModelSettings, ToolSchema, TurnRequest } from '../models/model.ts'
import { addResponse } from '../models/usage.ts'
import { schemaOf } from '../tools/define.ts'
import type { FunctionTool } from '../tools/tool.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import { orAbort } from './calls.ts'
import {
  type Conversation,
  itemEvent,
  notify,
  progressOf,
  type RunState,
  stored,
  toolContextOf,
} from './conversation.ts'
import type { RunEvent } from './events.ts'

/**
 * One model call; the only place that knows whether the run streams. Gives the output items verbatim.
 * @throws MODEL_FAILED; the signal's reason when the run was aborted. Items that were finished until then are kept.
 */
export async function askModel(run: RunState, conversation: Conversation): Promise<InputItem[]> {
  const { agent } = conversation.role
  const model = run.plan.provider.model(agent.model, agent.name)
  const request = await compose(run, conversation, model)
  await notify(run, conversation, 'onLlmStart', request)
  const output = run.plan.streaming
    ? await streamed(run, conversation, model, request)
    : await plain(run, conversation, model, request)
  await notify(run, conversation, 'onLlmEnd', output)
  return output.output
}

/** The next model call as a value; also notes that the model has now heard the user and the tools. */
async function compose(run: RunState, conversation: Conversation, model: Model): Promise<TurnRequest> {
  const { role, base, own, ask, context, newUserMessage } = conversation
  const { agent } = role
  const { sharedInstructions } = run.plan.agency
  const { systemReminders } = agent
  const progress = progressOf(conversation)
  const reminders =
    systemReminders.length === 0
      ? []
      : await dueReminders(systemReminders, agent, context, { newUserMessage, ...progress })
  conversation.newUserMessage = false
  progress.toolCallsBefore = progress.toolCalls
  return {
    instructions: await composeInstructions(sharedInstructions, agent, ask.additionalInstructions, context),
    input: [...reminders, ...base, ...own.map(toModelItem)],
    ...(await equip(run, conversation, model)),
    settings:
      progress.usedTools && agent.resetToolChoice ? withoutToolChoice(agent.modelSettings) : agent.modelSettings,
    ...(agent.outputType === undefined
      ? {}
      : { outputSchema: { name: 'final_output', schema: schemaOf(agent.outputType), strict: true } }),
  }
}

/** The tools of a turn: those that are enabled, those of MCP servers, and the provider's own where the model reaches them. */
async function equip(
  run: RunState,
  conversation: Conversation,
  model: Model,
): Promise<Pick<TurnRequest, 'tools' | 'hostedTools' | 'include'>> {
  const { role } = conversation
  conversation.found = await discover(run, role)
  const own = role.conditional ? await enabledSchemas(run, conversation) : role.schemas
  const tools = conversation.found.size === 0 ? own : [...own, ...[...conversation.found.values()].map(toSchema)]
  const hosted = role.hosted.map((tool) => tool.definition)
  if (hosted.length === 0) return { tools }
  if (model.runsHostedTools === true) return { tools, hostedTools: hosted, include: role.include }
  return { tools: [...tools, ...[...role.stubs.values()].map(toSchema)] }
}

const NOTHING_FOUND: ReadonlyMap<string, FunctionTool> = new Map()

/** The tools of the agent's MCP servers; a name that is taken already stays with its owner. */
async function discover(run: RunState, { agent, schemas, stubs }: Role): Promise<ReadonlyMap<string, FunctionTool>> {
  if (agent.mcpSources.length === 0) return NOTHING_FOUND
  const lists = await orAbort(Promise.all(agent.mcpSources.map((source) => source.tools())), run.signal)
  const taken = new Set([...schemas.map(({ name }) => name), ...stubs.keys()])
  return new Map(lists.flat().flatMap((tool) => (taken.has(tool.name) ? [] : [[tool.name, tool]])))
}

async function enabledSchemas(run: RunState, conversation: Conversation): Promise<ToolSchema[]> {
  const { schemas, tools, agent } = conversation.role
  const context = toolContextOf(run, conversation)
  const enabled = await Promise.all(schemas.map(({ name }) => tools.get(name)?.isEnabled?.(context, agent) ?? true))
  return schemas.filter((_, index) => enabled[index])
}

function withoutToolChoice({ toolChoice: _, ...settings }: ModelSettings): ModelSettings {
  return settings
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

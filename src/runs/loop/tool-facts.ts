/** What the items of a call tell about its tool: `description`, `title` and `tool_origin` (docs/wire.md, "Stream"). */
import { titleOf } from '../../tools/mcp.ts'
import { isObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import type { RunEvent, ToolFacts } from '../events.ts'
import { type Conversation, itemEvent, toolNamed } from './agent-thread.ts'

/** Of transfers, and of what the provider runs by itself. */
const UNKNOWN: ToolFacts = { description: null, title: null, origin: undefined }

/** A call that is complete. `heard`: the items of the same answer before it, among them listings of MCP servers. */
export const toolCalledEvent = (
  conversation: Conversation,
  raw: InputItem,
  heard: () => readonly InputItem[],
): RunEvent => ({
  ...itemEvent(conversation.who, 'tool_called', 'tool_call_item', raw),
  tool:
    raw.type === 'mcp_call' ? factsOfMcpCall(raw, [...conversation.own, ...heard()]) : factsOf(conversation, raw.name),
})

/** A call that was answered: its tool's name, the item of its output, and what the tool returned, as plain JSON. */
export interface CallAnswer {
  name: string | undefined
  raw: InputItem
  value: unknown
}

/** The output of a call, told by the agent that has the conversation now. */
export const toolOutputEvent = (conversation: Conversation, { name, raw, value }: CallAnswer): RunEvent => ({
  ...itemEvent(conversation.who, 'tool_output', 'tool_call_output_item', raw),
  tool: factsOf(conversation, name),
  output: value,
})

function factsOf(conversation: Conversation, name: unknown): ToolFacts {
  const { role } = conversation
  const tool = toolNamed(conversation, String(name))
  if (tool !== undefined)
    return {
      description: tool.description,
      title: tool.title ?? null,
      origin: { mcpServer: tool.mcpServer ?? null },
    }
  if (!role.sends.has(String(name))) return UNKNOWN
  const schema = role.schemas.find((one) => one.name === name)
  return { description: schema?.description ?? null, title: null, origin: { mcpServer: null } }
}

/** A call of an MCP server by the provider: its listing of the server's tools, where it has told one, describes it. */
function factsOfMcpCall({ name, server_label }: InputItem, items: readonly InputItem[]): ToolFacts {
  const listing = items.findLast((item) => item.type === 'mcp_list_tools' && item.server_label === server_label)
  const tools: unknown[] = Array.isArray(listing?.tools) ? listing.tools : []
  const tool = tools.filter(isObject).find((one) => one.name === name)
  return {
    description: typeof tool?.description === 'string' ? tool.description : null,
    title: titleOf(tool ?? {}) ?? null,
    origin: { mcpServer: String(server_label) },
  }
}

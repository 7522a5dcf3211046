/** Events of calls, with what they say about the tool: `description`, `title`, `tool_origin` (docs/wire.md, "Stream"). */
import { readNativeCall } from '../../messages/native-calls.ts'
import { titleOf } from '../../tools/mcp/tool-names.ts'
import { isObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import type { RunEvent, ToolFacts } from '../events.ts'
import { type AgentThread, createItemEvent, findTool } from './agent-thread.ts'
import type { CallOutcome } from './turn-state.ts'

/** Of transfers, and of what the provider runs by itself. */
const UNKNOWN: ToolFacts = { description: null, title: null, origin: undefined }

/** A call that is complete. `heard`: the items of the same answer before it, among them listings of MCP servers. */
export const toolCalledEvent = (thread: AgentThread, raw: InputItem, heard: () => readonly InputItem[]): RunEvent => ({
  ...createItemEvent(thread.who, 'tool_called', 'tool_call_item', raw),
  tool:
    raw.type === 'mcp_call'
      ? describeMcpCall(raw, [...thread.items, ...heard()])
      : describeTool(thread, readNativeCall(raw)?.name ?? raw.name),
})

/** The output of a call, emitted by the agent that has the thread now. */
export const toolOutputEvent = (thread: AgentThread, { call, answer }: CallOutcome, raw: InputItem): RunEvent => ({
  ...createItemEvent(thread.who, 'tool_output', 'tool_call_output_item', raw),
  tool: describeTool(thread, call.name),
  output: answer.value,
})

function describeTool(thread: AgentThread, name: unknown): ToolFacts {
  const { role } = thread
  const tool = findTool(thread, String(name))
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
function describeMcpCall({ name, server_label }: InputItem, items: readonly InputItem[]): ToolFacts {
  const listing = items.findLast((item) => item.type === 'mcp_list_tools' && item.server_label === server_label)
  const tools: unknown[] = Array.isArray(listing?.tools) ? listing.tools : []
  const tool = tools.filter(isObject).find((one) => one.name === name)
  return {
    description: typeof tool?.description === 'string' ? tool.description : null,
    title: titleOf(tool ?? {}) ?? null,
    origin: { mcpServer: String(server_label) },
  }
}

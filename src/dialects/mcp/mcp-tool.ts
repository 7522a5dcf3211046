/** A tool of the MCP server: what hosts see of it, and how a call of it is answered. */
import type { CallToolResult, Tool } from '@modelcontextprotocol/server'
import type { ToolOutput } from '../../tools/output.ts'
import type { ContentPart } from '../../wire/message.ts'

/** One tool as hosts see it. */
export interface McpTool {
  readonly definition: Tool
  /** Answers a call. Errors that it throws become results with `isError`. */
  call(args: { [name: string]: unknown }, call: McpCall): Promise<CallToolResult>
}

/** A call of a tool. */
export interface McpCall {
  /** Whose call it is. */
  readonly owner: string
  /** Aborts when the host cancels the call, or leaves where that means the same. */
  readonly signal: AbortSignal
  /** Tells the host what happens. Undefined: it did not ask for progress. */
  readonly report: ((message: string) => void) | undefined
  /** The caller's own trace, for telemetry. */
  readonly traceparent: string | undefined
}

/** A result that the host's model reads as an error, so that it can correct the call. */
export const errorResult = (text: string): CallToolResult => ({ content: [{ type: 'text', text }], isError: true })

/** The output of a tool as content of a result. */
export const toContent = (output: ToolOutput): CallToolResult['content'] =>
  typeof output === 'string' ? [{ type: 'text', text: output }] : output.map(toBlock)

const DATA_URL = /^data:([^;,]+)(?:;[^,]*)?;base64,/

function toBlock(part: ContentPart): CallToolResult['content'][number] {
  const { type, filename } = part
  if (type === 'input_text') return { type: 'text', text: String(part.text) }
  const source = [part.image_url, part.file_data, part.file_url].find((value) => typeof value === 'string')
  if (source === undefined) return { type: 'text', text: `A file of the model's provider: ${String(part.file_id)}` }
  const name = typeof filename === 'string' ? filename : 'file'
  const mimeType = DATA_URL.exec(source)?.[1]
  if (mimeType === undefined) return { type: 'resource_link', uri: source, name }
  const data = source.slice(source.indexOf(',') + 1)
  if (type === 'input_image') return { type: 'image', data, mimeType }
  return { type: 'resource', resource: { uri: `file:///${encodeURIComponent(name)}`, blob: data, mimeType } }
}

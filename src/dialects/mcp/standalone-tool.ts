/** A standalone tool as a tool of the MCP server. */
import { RunContext } from '../../agency/context.ts'
import { type Budget, weigh } from '../../base/budget.ts'
import { readToolEvent } from '../../tools/events.ts'
import { runTool } from '../../tools/run.ts'
import { endRun } from '../../tools/run-end.ts'
import type { FunctionTool, ToolContext } from '../../tools/tool.ts'
import { isObject, type JsonSchema } from '../../wire/json.ts'
import { describeToolEvent } from './describe-event.ts'
import { errorResult, type McpCall, type McpTool, toContent } from './mcp-tool.ts'

export interface StandaloneOptions {
  /** Masks known secrets in texts about failures. */
  redact(text: string): string
  /** Writes what a tool threw to the log. */
  note(tool: string, error: unknown): void
  /** Charged with the arguments of a call while it runs. */
  budget: Budget
  /** The most bytes of an event that a tool sends. */
  toolEventBytes: number
}

/** @param name its name for hosts, which may differ from its own */
export function toMcpTool(tool: FunctionTool, name: string, options: StandaloneOptions): McpTool {
  const outputSchema = isObjectSchema(tool.returns) ? tool.returns : undefined
  const title = tool.title ?? (name === tool.name ? undefined : tool.name)
  return {
    definition: {
      name,
      ...(title === undefined ? {} : { title }),
      description: tool.description,
      inputSchema: { ...tool.parameters, type: 'object' as const },
      ...(outputSchema && { outputSchema: outputSchema as { type: 'object' } }),
      annotations: {
        ...(title === undefined ? {} : { title }),
        ...(tool.safeToRetry === true ? { idempotentHint: true } : {}),
        ...(tool.needsApproval ? { destructiveHint: true } : {}),
      },
    },
    async call(args, call) {
      const held = options.budget.part()
      const ended = new AbortController()
      const signal = AbortSignal.any([call.signal, ended.signal])
      try {
        held.charge(weigh(args))
        return await answer(tool, args, { ...call, signal }, { ...options, mustBeObject: outputSchema !== undefined })
      } finally {
        endRun(signal) // what it started for this call, such as processes
        ended.abort()
        held.close()
      }
    },
  }
}

async function answer(
  tool: FunctionTool,
  args: { [name: string]: unknown },
  { signal, report }: McpCall,
  { redact, note, mustBeObject, toolEventBytes }: StandaloneOptions & { mustBeObject: boolean },
) {
  if (tool.needsApproval)
    return errorResult(
      `Error: calls of "${tool.name}" wait for a person's approval, which a call over MCP cannot do. Ask the agency whose agent has the tool.`,
    )
  const emit: ToolContext['emit'] = (event) => {
    const read = readToolEvent(event, toolEventBytes)
    report?.(describeToolEvent(read))
    return Promise.resolve()
  }
  const context: ToolContext = Object.assign(new RunContext({}), { toolCallId: '', idempotencyKey: '', signal, emit })
  const surroundings = { redact, note: (error: unknown) => note(tool.name, error) }
  const { output, value, failed } = await runTool(tool, JSON.stringify(args), context, surroundings)
  const content = toContent(output)
  if (failed === true) return { content, isError: true }
  const isPlain = isObject(value) && typeof output === 'string' // a part is an object too
  if (mustBeObject && !isPlain)
    return errorResult(`Error: the tool "${tool.name}" did not return an object, which its result schema promises.`)
  return isPlain ? { content, structuredContent: value } : { content }
}

/** Older hosts know result schemas of objects only. */
const isObjectSchema = (schema: JsonSchema | undefined): schema is JsonSchema => schema?.type === 'object'

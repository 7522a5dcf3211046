/** Calls of tools that the provider runs, such as its web search, as parts of a UI message. */
import type { JsonObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'

interface HostedCall {
  toolName: string
  input: unknown
  output: unknown
  /** Of a call that failed: why. */
  error?: string
  /** Of a call that made an image: it stands in place of the call. */
  file?: { url: string; mediaType: string }
}

/** @param args the call's arguments, where it has any */
export function describeHosted(item: InputItem, args: JsonObject | undefined): HostedCall {
  switch (item.type) {
    case 'mcp_call': {
      const failed = item.error == null ? {} : { error: String(item.error) }
      return { toolName: String(item.name), input: args ?? {}, output: item.output ?? null, ...failed }
    }
    case 'image_generation_call': {
      const format = typeof item.output_format === 'string' ? item.output_format : 'png'
      const call = { toolName: 'image_generation', input: {}, output: null }
      if (typeof item.result !== 'string' || item.result === '') return call
      const mediaType = `image/${format}`
      return { ...call, file: { url: `data:${mediaType};base64,${item.result}`, mediaType } }
    }
    case 'file_search_call':
      return { toolName: 'file_search', input: { queries: item.queries ?? [] }, output: item.results ?? [] }
    case 'code_interpreter_call':
      return { toolName: 'code_interpreter', input: { code: item.code ?? '' }, output: item.outputs ?? [] }
    case 'web_search_call':
      return { toolName: 'web_search', input: item.action ?? {}, output: { status: item.status ?? 'completed' } }
    default:
      return {
        toolName: String(item.type).replace(/_call$/, ''),
        input: item.action ?? {},
        output: item.output ?? { status: item.status ?? 'completed' },
      }
  }
}

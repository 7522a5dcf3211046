/** Plays a finished response back as the events of a Responses stream. */
import type { JsonObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import { isTerminal } from './ending.ts'
import type { ResponseEvent } from './model.ts'

/** A finished response, or as much of one as its stream needs. */
export interface PlayedResponse {
  output: readonly InputItem[]
  status?: string
  [key: string]: unknown
}

/** Cuts a text into the deltas of a stream. */
export type CutText = (text: string) => Iterable<string>

/**
 * The events that the Responses API sends for this response, in order, each made when it is asked for.
 * @param cut cuts texts, reasoning and arguments into deltas. Default: a word or two at a time
 */
export function* playBack(response: PlayedResponse, cut: CutText = pieces): Generator<ResponseEvent> {
  let sequence_number = 0
  const event = (type: string, fields: JsonObject): ResponseEvent => ({
    type,
    sequence_number: sequence_number++,
    ...fields,
  })
  const started = { ...response, status: 'in_progress', output: [], usage: null }
  yield event('response.created', { response: started })
  yield event('response.in_progress', { response: started })
  for (const [output_index, item] of response.output.entries()) {
    const at = { item_id: item.id, output_index }
    yield event('response.output_item.added', { output_index, item: beginning(item) })
    for (const { type, ...fields } of playItem(item, cut)) yield event(type, { ...at, ...fields })
    yield event('response.output_item.done', { output_index, item })
  }
  const last = `response.${response.status ?? 'completed'}`
  yield event(isTerminal(last) ? last : 'response.completed', { response })
}

/** An item as it is announced, before its content. */
function beginning(item: InputItem): InputItem {
  switch (item.type) {
    case 'message':
      return { ...item, status: 'in_progress', content: [] }
    case 'function_call':
      return { ...item, status: 'in_progress', arguments: '' }
    case 'reasoning':
      return { ...item, summary: [] }
    default:
      return item
  }
}

function* playItem(item: InputItem, cut: CutText): Generator<ResponseEvent> {
  if (item.type === 'message') {
    for (const [content_index, part] of partsOf(item.content).entries()) {
      const [name, key] = part.type === 'refusal' ? ['refusal', 'refusal'] : ['output_text', 'text']
      const where = { content_index }
      yield { type: 'response.content_part.added', ...where, part: { ...part, [key]: '' } }
      for (const delta of cut(String(part[key] ?? '')))
        yield { type: `response.${name}.delta`, ...where, delta, logprobs: [] }
      yield { type: `response.${name}.done`, ...where, [key]: part[key], logprobs: [] }
      yield { type: 'response.content_part.done', ...where, part }
    }
  } else if (item.type === 'function_call') {
    for (const delta of cut(String(item.arguments))) yield { type: 'response.function_call_arguments.delta', delta }
    yield { type: 'response.function_call_arguments.done', arguments: item.arguments }
  } else if (item.type === 'reasoning') {
    for (const [summary_index, part] of partsOf(item.summary).entries()) {
      yield { type: 'response.reasoning_summary_part.added', summary_index, part: { ...part, text: '' } }
      for (const delta of cut(String(part.text ?? '')))
        yield { type: 'response.reasoning_summary_text.delta', summary_index, delta }
      yield { type: 'response.reasoning_summary_part.done', summary_index, part }
    }
  }
}

const partsOf = (parts: unknown) => (Array.isArray(parts) ? parts : []) as JsonObject[]

/** A word or two at a time, each found when it is asked for: a text may have millions. */
function* pieces(text: string): Generator<string> {
  for (const [piece] of text.matchAll(/\s*\S+(\s+\S{1,3}(?=\s|$))?|\s+$/g)) yield piece
}

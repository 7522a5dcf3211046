import { type Charges, weigh } from '../../base/budget.ts'
import { modelFailed } from '../../base/errors.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { type Ending, endingOf, failureIn, type ModelError, stoppedBy } from '../ending.ts'
import type { ModelResponse, ResponseEvent, ResponseUsage, TurnRequest } from '../model.ts'
import { ResponseSynthesis } from '../synthesis.ts'
import { countOf } from '../usage.ts'
import { ChatCalls } from './chat-calls.ts'

/** Reads the chunks of one Chat Completions answer, or the whole answer, into a response. */
export class ChunkReader {
  readonly #parts: ResponseSynthesis
  readonly #calls: ChatCalls
  #ending: Ending | undefined
  #heard = false
  /** Calls came in `tool_calls`: the old `function_call` beside it repeats one of them. */
  #listsCalls = false
  /** A message in a chunk without content: a failure when no answer comes, or one without a finish reason. */
  #hint: ModelError | undefined

  /** Charged with what is kept although no event shows it. */
  readonly #budget: Charges | undefined

  constructor(model: string, request: TurnRequest) {
    this.#budget = request.budget
    this.#parts = new ResponseSynthesis({ model, request })
    this.#calls = new ChatCalls(
      this.#parts,
      request.tools.map(({ name }) => name),
    )
  }

  /** True once the provider said why it stopped. */
  get finished(): boolean {
    return this.#ending !== undefined
  }

  /** @throws MODEL_FAILED when the chunk tells of a failure */
  read(chunk: unknown): ResponseEvent[] {
    const parts = this.#parts
    const isFailure = isObject(chunk) && chunk.error != null && failureIn({ error: chunk.error }) !== undefined
    const choices = isObject(chunk) && !isFailure ? chunk.choices : undefined
    const choice = Array.isArray(choices) ? choices[0] : undefined
    if (!isObject(choice)) {
      throwIf(failureIn(chunk))
      this.#hint ??= failureIn(chunk, true)
    }
    if (!isObject(chunk)) return parts.take()
    if (typeof chunk.id === 'string') parts.identify(chunk.id)
    parts.begin()
    const usage = usageIn(chunk, choice)
    if (usage !== undefined) parts.usage = toUsage(usage)
    if (!isObject(choice)) return parts.take()
    if (isObject(choice.delta)) this.#hear(choice.delta)
    else if (isObject(choice.message) && !this.#heard) this.#hear(choice.message, true)
    else if (typeof choice.text === 'string') this.#hear({ content: choice.text })
    if (choice.finish_reason || choice.error) this.#end(choice)
    return parts.take()
  }

  /** @throws MODEL_FAILED for an answer that failed, and for a stream that ended without saying anything */
  finish(): ModelResponse {
    if (!this.#heard || this.#ending === undefined) throwIf(this.#hint)
    this.#calls.finish()
    const ending = this.#ending ?? { kind: 'unknown', reason: 'none' }
    // An empty message is an answer, no message is none.
    const isMissing = !this.#heard && ending.kind === 'complete'
    return this.#parts.finish(isMissing ? { kind: 'unknown', reason: 'stop' } : ending)
  }

  take(): ResponseEvent[] {
    return this.#parts.take()
  }

  #end({ finish_reason: reason, native_finish_reason: native, error }: JsonObject): void {
    throwIf(failureIn({ error }))
    if (!reason) return
    this.#ending = endingOf(reason, native)
    if (this.#ending.kind !== 'failed') return
    throwIf(failureIn({ error: isObject(reason) ? reason : undefined }))
    throw stoppedBy(this.#ending)
  }

  /** The hot path: most deltas have only content. */
  #hear(delta: JsonObject, whole = false): void {
    this.#heard = true
    const { content, refusal, annotations, tool_calls: calls, function_call: call, images, audio } = delta
    const thought = delta.reasoning_content || delta.reasoning || delta.thinking
    if (thought) this.#parts.think(textIn(thought))
    if (Array.isArray(delta.reasoning_details)) this.#keepDetails(delta.reasoning_details.filter(isObject))
    if (typeof content === 'string') this.#parts.say(content)
    else if (content != null) this.#readContent(content)
    if (typeof refusal === 'string') this.#parts.refuse(refusal)
    if (Array.isArray(annotations))
      for (const note of annotations)
        if (isObject(note) && isObject(note.url_citation))
          this.#parts.cite({ type: 'url_citation', ...note.url_citation })
    if (calls != null) {
      this.#budget?.charge(weigh(calls))
      for (const [index, entry] of (Array.isArray(calls) ? calls : [calls]).entries()) {
        if (!isObject(entry)) continue
        this.#listsCalls = true
        this.#calls.read(entry, whole ? index : undefined) // a finished message has no indexes
      }
    }
    if (Array.isArray(images)) for (const image of images) this.#show(image)
    if (isObject(audio) && typeof audio.transcript === 'string') this.#parts.say(audio.transcript)
    if (isObject(call) && !this.#listsCalls) this.#calls.read({ function: call, index: 'function_call' })
  }

  /** An image of the answer: its bytes as an item, its address as text. */
  #show(image: unknown): void {
    const source = isObject(image) ? image.image_url : undefined
    const url = isObject(source) ? source.url : source
    if (typeof url !== 'string') return
    const comma = url.indexOf(',')
    if (url.startsWith('data:') && comma !== -1)
      this.#parts.addItem({ type: 'image_generation_call', status: 'completed', result: url.slice(comma + 1) })
    else this.#parts.say(url)
  }

  /** Content in parts: thinking is reasoning, the rest is said. */
  #readContent(content: unknown): void {
    for (const part of Array.isArray(content) ? content : [content]) {
      if (typeof part === 'string') this.#parts.say(part)
      else if (!isObject(part)) continue
      else if (/think|reason|thought/.test(String(part.type))) this.#parts.think(textIn(part))
      else if (part.type === 'refusal') this.#parts.refuse(textIn(part))
      else this.#parts.say(textIn(part))
    }
  }

  /** Pieces of one block follow each other; what continues the last one is joined to it. */
  #keepDetails(pieces: readonly JsonObject[]): void {
    this.#budget?.charge(weigh(pieces))
    this.#parts.openThought(0)
    const { reasoning_details } = this.#parts.attached(0)
    const details = Array.isArray(reasoning_details) ? (reasoning_details as JsonObject[]) : []
    for (const piece of pieces) {
      const last = details.at(-1)
      if (last === undefined || last.type !== piece.type || last.index !== piece.index) details.push({ ...piece })
      else
        for (const [name, value] of Object.entries(piece))
          if (/^(text|summary|data)$/.test(name)) last[name] = `${last[name] ?? ''}${value ?? ''}`
          else if (value != null) last[name] = value
    }
    this.#parts.attach({ thought: 0 }, { reasoning_details: details })
  }
}

function throwIf(failure: ModelError | undefined): void {
  if (failure !== undefined) throw modelFailed(failure.message, failure)
}

/** The text of a content part: a string, `text`, `{ value }`, or a list of such parts. */
function textIn(part: unknown, depth = 0): string {
  if (typeof part === 'string') return part
  if (depth > 4) return ''
  if (Array.isArray(part)) return part.map((one) => textIn(one, depth + 1)).join('')
  if (!isObject(part)) return ''
  const inside = [part.text, part.thinking, part.reasoning, part.summary, part.refusal, part.value, part.content]
  return textIn(
    inside.find((value) => value != null),
    depth + 1,
  )
}

/** Groq and Moonshot put it in places of their own. */
function usageIn({ usage, x_groq: groq }: JsonObject, choice: unknown): JsonObject | undefined {
  if (isObject(usage)) return usage
  if (isObject(groq) && isObject(groq.usage)) return groq.usage
  return isObject(choice) && isObject(choice.usage) ? choice.usage : undefined
}

function toUsage(usage: JsonObject): ResponseUsage {
  const details = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {}
  const output = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : {}
  const cached = details.cached_tokens ?? usage.prompt_cache_hit_tokens ?? usage.cached_tokens
  return {
    input_tokens: countOf(usage.prompt_tokens ?? usage.input_tokens),
    output_tokens: countOf(usage.completion_tokens ?? usage.output_tokens),
    total_tokens: countOf(usage.total_tokens),
    input_tokens_details: { ...details, cached_tokens: countOf(cached) },
    output_tokens_details: { ...output, reasoning_tokens: countOf(output.reasoning_tokens) },
  }
}

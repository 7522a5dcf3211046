/** Reads the answers of Chat Completions, streamed or whole. */
import { type Charges, weigh } from '../../base/budget.ts'
import { modelFailed } from '../../base/model-errors.ts'
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
  /** The answer has `tool_calls`: the old `function_call` beside it repeats one of them. */
  #listsCalls = false
  /** The index of the choice that becomes the answer. */
  #index: unknown = UNKNOWN
  /** Choices with other indexes, until the wanted one comes. */
  readonly #held: JsonObject[] = []
  /** The field that reasoning is read from: gateways repeat it in several. */
  #thoughtField: (typeof THOUGHTS)[number] | undefined
  readonly #sources = new Sources()
  readonly #cited = new Set<string>()
  /** A message in a chunk without content: a failure when no answer comes, or one without a finish reason. */
  #hint: ModelError | undefined

  /** Charged for data that is kept and not shown in any event. */
  readonly #budget: Charges | undefined

  constructor(model: string, request: TurnRequest) {
    this.#budget = request.budget
    this.#parts = new ResponseSynthesis({ model, request })
    this.#calls = new ChatCalls(
      this.#parts,
      request.tools.map(({ name }) => name),
    )
  }

  /** True once the provider sent a finish reason. */
  get finished(): boolean {
    this.#replay()
    return this.#ending !== undefined
  }

  /** Reads the next chunk, or the whole answer. @throws MODEL_FAILED when it reports a failure */
  read(chunk: unknown): ResponseEvent[] {
    const parts = this.#parts
    const isFailure = isObject(chunk) && chunk.error != null && failureIn({ error: chunk.error }) !== undefined
    const choices = isObject(chunk) && !isFailure ? choicesOf(chunk) : []
    if (choices.length === 0) {
      throwIf(failureIn(chunk))
      this.#hint ??= failureIn(chunk, true)
    }
    if (!isObject(chunk)) return parts.take()
    if (typeof chunk.id === 'string') parts.identify(chunk.id)
    parts.begin()
    const first = choices[0]
    const choice =
      first === undefined || (choices.length === 1 && first.index === this.#index) ? first : this.#choose(choices)
    const usage = usageIn(chunk, choice)
    if (usage !== undefined) parts.usage = toUsage(usage, parts.usage)
    if (chunk.citations != null || chunk.search_results != null) this.#sources.add(chunk)
    if (choice !== undefined) this.#readChoice(choice)
    return parts.take()
  }

  #readChoice(choice: JsonObject): void {
    if (isObject(choice.delta)) this.#hear(choice.delta)
    else if (isObject(choice.message) && !this.#heard) this.#hear(choice.message, true)
    else if (typeof choice.text === 'string') this.#hear({ content: choice.text })
    if (choice.finish_reason || choice.error) this.#end(choice)
  }

  /**
   * The answer among several choices (`n: 2`): the one with index 0 or none. Others are kept until it comes; when it never does, the
   * one with the lowest index is the answer.
   */
  #choose(choices: readonly JsonObject[]): JsonObject | undefined {
    const choice = choices.find(({ index }) => isFirst(index))
    if (this.#index !== UNKNOWN) return choice
    if (choice === undefined) {
      this.#budget?.charge(weigh(choices))
      this.#held.push(...choices)
      return undefined
    }
    this.#index = choice.index
    this.#held.length = 0
    return choice
  }

  #replay(): void {
    const [first] = this.#held.toSorted((a, b) => Number(a.index) - Number(b.index))
    for (const choice of this.#held.splice(0)) if (choice.index === first?.index) this.#readChoice(choice)
  }

  /** @throws MODEL_FAILED for an answer that failed, and for a stream that ended without content */
  finish(): ModelResponse {
    this.#replay()
    if (!this.#heard || this.#ending === undefined) throwIf(this.#hint)
    this.#calls.finish()
    const ending = this.#ending ?? { kind: 'unknown', reason: 'none' }
    if (ending.kind === 'complete') this.#parts.answerWithThoughts()
    // An empty message is an answer; a missing message is not.
    const isMissing = !this.#heard && ending.kind === 'complete'
    if (this.#parts.saidChars > 0) for (const source of this.#sources.list()) this.#cite(source)
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
    if (
      delta.reasoning_content ||
      delta.reasoning ||
      delta.reasoning_text ||
      delta.thinking ||
      delta.reasoning_details ||
      delta.thinking_blocks
    )
      this.#think(delta)
    if (typeof content === 'string') this.#parts.say(content)
    else if (content != null) this.#readContent(content)
    if (typeof refusal === 'string') this.#parts.refuse(refusal)
    if (Array.isArray(annotations)) for (const note of annotations) this.#cite(isObject(note) ? note : {})
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

  /** Reasoning, from the first of its fields that has a text. */
  #think(delta: JsonObject): void {
    this.#thoughtField ??= THOUGHTS.find((name) => textIn(delta[name]) !== '')
    if (Array.isArray(delta.reasoning_details)) this.#keepDetails(delta.reasoning_details.filter(isObject))
    if (this.#thoughtField !== undefined) this.#parts.think(textIn(delta[this.#thoughtField]))
  }

  /** A web page that the answer cites, each once. */
  #cite({ type, url_citation: inner, ...flat }: JsonObject): void {
    const citation = isObject(inner) ? inner : flat
    if (typeof citation.url !== 'string' || (type !== undefined && type !== 'url_citation')) return
    const end = this.#parts.saidChars
    const key = JSON.stringify([citation.url, citation.start_index, citation.end_index])
    if (this.#cited.has(key)) return
    this.#cited.add(key)
    this.#budget?.charge(weigh(citation))
    this.#parts.cite({ type: 'url_citation', start_index: end, end_index: end, title: '', ...citation })
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

  /** Content in parts: thinking parts are reasoning, the others are text. */
  #readContent(content: unknown): void {
    for (const part of Array.isArray(content) ? content : [content]) {
      if (typeof part === 'string') this.#parts.say(part)
      else if (!isObject(part)) continue
      else if (/think|reason|thought/.test(String(part.type))) this.#parts.think(textIn(part))
      else if (part.type === 'refusal') this.#parts.refuse(textIn(part))
      else this.#parts.say(textIn(part))
    }
  }

  /** Details of one block follow each other; a detail that continues the last one is joined to it. */
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

/** The fields that reasoning is sent in, in the order in which they are tried. */
const THOUGHTS = [
  'reasoning_content',
  'reasoning',
  'reasoning_text',
  'thinking',
  'reasoning_details',
  'thinking_blocks',
] as const

/** No choice was received yet. */
const UNKNOWN = Symbol('unknown')
const isFirst = (index: unknown) => index == null || index === 0 || index === '0'

/** The choices of a chunk or an answer; some gateways send the text alone (`output_text`). */
function choicesOf({ choices, output_text: text }: JsonObject): JsonObject[] {
  if (Array.isArray(choices)) return choices.length === 1 && isObject(choices[0]) ? choices : choices.filter(isObject)
  return typeof text === 'string' ? [{ delta: { content: text } }] : []
}

/** The web pages that Perplexity cites for an answer: `citations` in the order of its marks, `search_results` with titles. */
class Sources {
  #citations: unknown[] = []
  readonly #titles = new Map<unknown, unknown>()

  add({ citations, search_results: results }: JsonObject): void {
    if (Array.isArray(citations) && citations.length >= this.#citations.length) this.#citations = citations
    if (Array.isArray(results))
      for (const result of results) if (isObject(result)) this.#titles.set(result.url, result.title)
  }

  list(): JsonObject[] {
    const urls = this.#citations.length > 0 ? this.#citations : [...this.#titles.keys()]
    return urls.map((source) => {
      const { url, title } = isObject(source) ? source : { url: source, title: undefined }
      const named = title ?? this.#titles.get(url)
      return { type: 'url_citation', url, ...(typeof named === 'string' ? { title: named } : {}) }
    })
  }
}

/** Groq and Moonshot send it in fields of their own. */
function usageIn({ usage, x_groq: groq }: JsonObject, choice: unknown): JsonObject | undefined {
  if (isObject(usage)) return usage
  if (isObject(groq) && isObject(groq.usage)) return groq.usage
  return isObject(choice) && isObject(choice.usage) ? choice.usage : undefined
}

/** The usage with the field names of the Responses API. A later chunk may lack counts of an earlier one. */
function toUsage(usage: JsonObject, before: ResponseUsage | undefined): ResponseUsage {
  const details = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {}
  const output = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : {}
  const cached = details.cached_tokens ?? usage.prompt_cache_hit_tokens ?? usage.cached_tokens
  const input = countOf(usage.prompt_tokens ?? usage.input_tokens ?? usage.promptTokens)
  const said = countOf(usage.completion_tokens ?? usage.output_tokens ?? usage.completionTokens)
  if (before !== undefined && input === 0 && said === 0) return before
  return {
    input_tokens: input || countOf(before?.input_tokens),
    output_tokens: said || countOf(before?.output_tokens),
    total_tokens: countOf(usage.total_tokens ?? usage.totalTokens),
    input_tokens_details: { ...details, cached_tokens: countOf(cached) },
    output_tokens_details: { ...output, reasoning_tokens: countOf(output.reasoning_tokens) },
  }
}

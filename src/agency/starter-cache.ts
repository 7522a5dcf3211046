/** Answers to conversation starters and quick replies, kept on disk and given again without asking the model. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { errorText } from '../base/errors.ts'
import type { EventBatch, Model, ModelResponse, TurnRequest } from '../models/model.ts'
import type { RequestModels } from '../models/models.ts'
import { ResponseSynthesis } from '../models/synthesis.ts'
import { UNASKED_USAGE } from '../models/usage.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import type { Agent } from './agent.ts'

/** What decides whether the first answer of a run may come from the cache. */
export interface FirstTurn {
  agent: Agent
  history: readonly unknown[]
  additionalInstructions?: string | null | undefined
}

/** The largest file that is read, in characters. */
const MAX_FILE_CHARS = 4 * 1024 * 1024
/** Deltas that are sent together. */
const PIECES_PER_BATCH = 16

/**
 * The models of a run, whose first answer comes from the cache when its message is a starter or quick reply of the agent. An
 * answer is kept when it is text alone: one that calls tools is made anew each time. It is given again only for the very
 * same request: instructions, tools, settings, and the message except for letter case and blanks around it.
 */
export function withStarterCache(models: RequestModels, turn: FirstTurn): RequestModels {
  const { agent, history, additionalInstructions } = turn
  // Answers of a caller's own model must not reach other callers; a draft that a guardrail rejected must not be kept.
  const fits = models.own && history.length === 0 && !additionalInstructions && agent.outputGuardrails.length === 0
  if (!agent.cacheConversationStarters || !fits) return models
  const starters = new Map(
    [...agent.conversationStarters, ...agent.quickReplies].map((text) => [normalize(text), text]),
  )
  return {
    ...models,
    model(spec, name) {
      const model = models.model(spec, name)
      return name === agent.name ? cachedModel(model, name, starters) : model
    },
  }
}

const normalize = (text: string): string => text.trim().toLowerCase()

/** Where an answer is kept, and what it answers. */
interface Entry {
  path: string
  starter: string
  agent: string
  fingerprint: string
}

function cachedModel(model: Model, agent: string, starters: ReadonlyMap<string, string>): Model {
  const find = (request: TurnRequest): Entry | undefined => {
    const starter = starters.get(normalize(onlyText(request.input) ?? ''))
    return starter === undefined
      ? undefined
      : { path: pathOf(agent, starter), starter, agent, fingerprint: fingerprintOf(model, request) }
  }
  return {
    get name() {
      return model.name
    },
    get provider() {
      return model.provider
    },
    get runsHostedTools() {
      return model.runsHostedTools
    },
    streamTurn(request, signal) {
      const entry = find(request)
      return entry === undefined ? model.streamTurn(request, signal) : streamed(model, entry, request, signal)
    },
    async completeTurn(request, signal) {
      const entry = find(request)
      const known = entry && (await read(entry))
      if (known !== undefined) return new Replay(model, request).say(known).finish()
      const response = await model.completeTurn(request, signal)
      if (entry !== undefined) await keep(entry, response)
      return response
    },
  }
}

async function* streamed(
  model: Model,
  entry: Entry,
  request: TurnRequest,
  signal: AbortSignal,
): AsyncGenerator<EventBatch> {
  const known = await read(entry)
  if (known !== undefined) {
    yield* new Replay(model, request).stream(known)
    return
  }
  for await (const batch of model.streamTurn(request, signal)) {
    const end = batch.events.find(({ type }) => type === 'response.completed')
    if (end !== undefined) await keep(entry, end.response as ModelResponse)
    yield batch
  }
}

/** Repeats an answer with the events and ids of a new one. */
class Replay {
  readonly #synthesis: ResponseSynthesis

  constructor({ name }: Model, request: TurnRequest) {
    this.#synthesis = new ResponseSynthesis({ model: name, request })
    this.#synthesis.usage = UNASKED_USAGE
    this.#synthesis.begin()
  }

  say(parts: readonly TextPart[]): this {
    for (const part of parts) for (const piece of piecesOf(part)) piece(this.#synthesis)
    return this
  }

  finish(): ModelResponse {
    return this.#synthesis.finish()
  }

  *stream(parts: readonly TextPart[]): Generator<EventBatch> {
    const pieces = parts.flatMap(piecesOf)
    for (let index = 0; index < pieces.length; index += PIECES_PER_BATCH) {
      for (const piece of pieces.slice(index, index + PIECES_PER_BATCH)) piece(this.#synthesis)
      yield this.#batch()
    }
    this.#synthesis.finish()
    yield this.#batch()
  }

  #batch(): EventBatch {
    const events = this.#synthesis.take()
    return { events, bytes: JSON.stringify(events).length }
  }
}

/** A text of an answer and what it rests on. */
interface TextPart {
  text: string
  annotations: readonly JsonObject[]
}

const piecesOf = ({ text, annotations }: TextPart): ((synthesis: ResponseSynthesis) => void)[] => [
  ...(text.match(/\S+|\s+/g) ?? []).map((word) => (synthesis: ResponseSynthesis) => synthesis.say(word)),
  ...annotations.map((annotation) => (synthesis: ResponseSynthesis) => synthesis.cite(annotation)),
]

/** The text of the only message of a request, reminders apart; undefined when there is more, or something else than text. */
function onlyText(input: readonly InputItem[]): string | undefined {
  const [message, ...more] = input.filter(({ role }) => role !== 'system')
  if (message?.role !== 'user' || more.length > 0) return undefined
  const { content } = message
  if (typeof content === 'string') return content
  const parts = Array.isArray(content) ? content : []
  return parts.every(({ type }) => type === 'input_text') ? parts.map(({ text }) => text).join('') : undefined
}

const fingerprintOf = ({ name, provider }: Model, request: TurnRequest): string => {
  const { instructions, tools, hostedTools, include, settings, outputSchema } = request
  const input = request.input.map((item) => (item.role === 'system' ? item : normalize(onlyText([item]) ?? '')))
  return hash(
    JSON.stringify([name, provider, instructions, input, tools, hostedTools, include, settings, outputSchema]),
  )
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The folder and the names of the Python original; a file with another fingerprint is ignored, and overwritten. */
function pathOf(agent: string, starter: string): string {
  const folder = resolve(process.env.AGENCY_SWARM_CHATS_DIR || '.agency_swarm', 'starter_cache')
  const name = agent.trim().replace(/[^a-zA-Z0-9_-]+/g, '_') || 'agent'
  return join(folder, `${name}_${hash(normalize(starter)).slice(0, 12)}.json`)
}

/** The answer that is kept; undefined when there is none, or it is one to another request. */
async function read({ path, fingerprint }: Entry): Promise<TextPart[] | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    const kept: unknown = text.length > MAX_FILE_CHARS ? undefined : JSON.parse(text)
    if (!isObject(kept) || !isObject(kept.metadata) || kept.metadata.fingerprint !== fingerprint) return undefined
    return partsOf((Array.isArray(kept.items) ? kept.items : []).filter(({ role }) => role === 'assistant'))
  } catch {
    return undefined // there is none, or none that can be read: the model is asked
  }
}

/** Keeps an answer that is text alone. A disk that cannot be written to costs the cache, not the run. */
async function keep({ path, starter, agent, fingerprint }: Entry, response: ModelResponse): Promise<void> {
  const { output, status = 'completed' } = response
  const messages = Array.isArray(output) ? output.filter(({ type }) => type !== 'reasoning') : []
  if (status !== 'completed' || partsOf(messages) === undefined) return
  const asked = { type: 'message', role: 'user', content: starter }
  const items = [asked, ...messages].map((item) => ({ ...item, agent, callerAgent: null }))
  const metadata = { source: 'live_run', fingerprint }
  const staging = `${path}.${randomUUID()}`
  try {
    await mkdir(resolve(path, '..'), { recursive: true })
    await writeFile(staging, JSON.stringify({ prompt: starter, agent, items, metadata }, undefined, 2))
    await rename(staging, path)
  } catch (error) {
    await rm(staging, { force: true }).catch(() => {})
    process.emitWarning(`The answer to a conversation starter could not be kept in ${path}: ${errorText(error)}`)
  }
}

/** The texts of messages; undefined when there is none, or anything else. */
function partsOf(messages: readonly unknown[]): TextPart[] | undefined {
  const parts = messages.flatMap((message) =>
    isObject(message) && message.type === 'message' && Array.isArray(message.content) ? message.content : [undefined],
  )
  const texts = parts.flatMap((part): TextPart[] =>
    isObject(part) && part.type === 'output_text' && typeof part.text === 'string'
      ? [{ text: part.text, annotations: Array.isArray(part.annotations) ? part.annotations.filter(isObject) : [] }]
      : [],
  )
  return texts.length === parts.length && texts.some(({ text }) => text.trim() !== '') ? texts : undefined
}

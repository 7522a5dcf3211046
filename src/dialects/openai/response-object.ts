/** The object that stands for a run at `/v1/responses`: its id, and what of the request it repeats. */
import { createHash } from 'node:crypto'
import type { ServedAgency } from '../../agency/served.ts'
import type { Usage } from '../../wire/message.ts'
import type { OpenAiResponse, ResponseRequest } from '../../wire/openai-responses.ts'

/** What a response repeats of its request. Kept with a stored run. */
export interface ResponseEcho {
  model: string
  background: boolean
  store: boolean
  previous: string | null
  conversation: string | null
  instructions: string | null
  metadata: { [key: string]: string }
}

export const toEcho = (request: ResponseRequest): ResponseEcho => ({
  model: request.model,
  background: request.background === true,
  store: request.store !== false,
  previous: request.previous_response_id ?? null,
  conversation: conversationOf(request) ?? null,
  instructions: request.instructions ?? null,
  metadata: request.metadata ?? {},
})

export const conversationOf = ({ conversation }: ResponseRequest): string | undefined =>
  (typeof conversation === 'object' ? conversation?.id : conversation) ?? undefined

/** The field of a stored run's metadata that has the echo. */
const KEY = 'openai'

/** The metadata of the stored run. Instructions are in its request. */
export function toMetadata({ metadata, instructions: _, ...echo }: ResponseEcho): { [key: string]: string } {
  return { ...metadata, [KEY]: JSON.stringify(echo) }
}

/** Undefined for a run that was not started at `/v1/responses`. */
export function readEcho(stored: { [key: string]: string }): ResponseEcho | undefined {
  const { [KEY]: echo, ...metadata } = stored
  return echo === undefined ? undefined : { ...JSON.parse(echo), metadata, instructions: null }
}

/** Tells the agency of a response: its path is not in the id. */
const markOf = (agency: string) => createHash('sha256').update(agency).digest('hex').slice(0, 8)

export const toResponseId = ({ runId, agency }: { runId: string; agency: string }): string =>
  `resp_${runId.replaceAll('-', '')}${markOf(agency)}`

/** The run of a response; undefined for an id that cannot be one. */
export function readResponseId(
  agencies: readonly ServedAgency[],
  id: string,
): { runId: string; agency: string } | undefined {
  const [, a, b, c, d, e, mark] =
    /^resp_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})([0-9a-f]{8})$/.exec(id) ?? []
  const served = agencies.find(({ path }) => markOf(path) === mark)
  return served === undefined ? undefined : { runId: [a, b, c, d, e].join('-'), agency: served.path }
}

/** The response that an item of its output belongs to; undefined for an id that no response here has given. */
export function responseIdOf(itemId: unknown): string | undefined {
  const [, own] = /^[a-z]+_([0-9a-f]{40})[0-9a-f]{4,}$/.exec(String(itemId)) ?? []
  return own === undefined ? undefined : `resp_${own}`
}

/** A response without output. @param createdAt in milliseconds since 1970 */
export const createResponse = (id: string, createdAt: number, echo: ResponseEcho): OpenAiResponse => ({
  id,
  object: 'response',
  created_at: Math.floor(createdAt / 1000),
  status: 'in_progress',
  background: echo.background,
  error: null,
  incomplete_details: null,
  instructions: echo.instructions,
  max_output_tokens: null,
  metadata: echo.metadata,
  model: echo.model,
  output: [],
  parallel_tool_calls: true,
  previous_response_id: echo.previous,
  ...(echo.conversation === null ? {} : { conversation: { id: echo.conversation } }),
  reasoning: { effort: null, summary: null },
  store: echo.store,
  temperature: null,
  text: { format: { type: 'text' } },
  tool_choice: 'auto',
  tools: [],
  top_p: null,
  truncation: 'disabled',
  usage: null,
})

export const toResponseUsage = (usage: Usage): NonNullable<OpenAiResponse['usage']> => ({
  input_tokens: usage.input_tokens,
  input_tokens_details: { cached_tokens: usage.cached_tokens, cache_write_tokens: usage.cache_write_tokens },
  output_tokens: usage.output_tokens,
  output_tokens_details: { reasoning_tokens: usage.reasoning_tokens ?? 0 },
  total_tokens: usage.total_tokens,
})

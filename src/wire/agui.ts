/** Requests in AG-UI: their schema and parser. */
import { z } from 'zod'
import { takeTurn } from '../base/async.ts'
import { isObject, type JsonObject } from './json.ts'
import { checkCount } from './request-checks.ts'
import { redactSecrets } from './request-secrets.ts'
import {
  agencyRequestSchema,
  asObject,
  type RequestFields,
  RequestInvalid,
  type RequestRules,
  readFields,
} from './requests.ts'
import { flag, requiredName } from './scalars.ts'
import { detailsFromZod, MAX_DETAILS, tagText, type ValidationDetail } from './validation.ts'

/** The version of AG-UI that the server implements (https://docs.ag-ui.com); see docs/ag-ui.md. */
export const AGUI_VERSION = '1.0'

const text = z.string()
const optional = text.nullish()

const source = z.discriminatedUnion('type', [
  z.object({ type: z.literal('data'), value: text, mimeType: text }),
  z.object({ type: z.literal('url'), value: text, mimeType: optional }),
  z.object({ type: z.literal('file'), value: text, provider: optional, mimeType: optional }),
])
const media = <Type extends string>(type: Type) =>
  z.object({ type: z.literal(type), source, metadata: z.unknown().optional() })
const binary = z
  .object({
    type: z.literal('binary'),
    mimeType: text,
    id: optional,
    url: optional,
    data: optional,
    filename: optional,
  })
  .refine(({ id, url, data }) => Boolean(id || url || data), 'a binary part needs an id, a url or data')
export const aguiPart = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text }),
  media('image'),
  media('document'),
  media('audio'),
  media('video'),
  binary,
])
const content = z.union([text, z.array(aguiPart)], { error: 'content has to be a text or a list of parts' })

const common = {
  id: text,
  subagentRunId: optional,
  encryptedValue: optional,
  metadata: z.record(z.string(), z.unknown()).nullish(),
}
const toolCall = z.object({
  id: text,
  type: z.literal('function').default('function'),
  function: z.object({ name: text, arguments: text }),
})
export const aguiMessage = z.discriminatedUnion('role', [
  z.object({ ...common, role: z.enum(['developer', 'system']), name: optional, content: text }),
  z.object({
    ...common,
    role: z.literal('assistant'),
    name: optional,
    content: optional,
    toolCalls: z.array(toolCall).nullish(),
  }),
  z.object({ ...common, role: z.literal('user'), name: optional, content }),
  z.object({ ...common, role: z.literal('tool'), content, toolCallId: text, error: optional }),
  z.object({ ...common, role: z.literal('activity'), activityType: text, content: z.record(z.string(), z.unknown()) }),
  z.object({ ...common, role: z.literal('reasoning'), content: text }),
])
const input = z.object({
  threadId: requiredName,
  runId: requiredName,
  parentRunId: requiredName.nullish(),
  protocolVersion: optional.describe('Clients of protocol 1.0 and later name it.'),
  messages: z
    .array(aguiMessage)
    .describe('The conversation; its last message is what is answered. Without any, the last of chat_history is.'),
  state: z.unknown().optional(),
  tools: z.array(z.unknown()).nullish(),
  context: z.array(z.unknown()).nullish(),
  forwardedProps: z.unknown().optional().describe("This server's own fields, where the client has no other place."),
})
const optionalEvents = (names: string) =>
  flag.describe(`Send ${names} events. Default: true when protocolVersion is 1.0 or later, unless the server decides.`)
const own = z.object({
  raw_events: flag.describe('Also send what has no AG-UI event, as RAW. Default false.'),
  subagent_events: optionalEvents('SUBAGENT_*'),
  reasoning_events: optionalEvents('REASONING_*'),
  tool_result_events: optionalEvents('TOOL_CALL_RESULT'),
})

export type AguiPart = z.infer<typeof aguiPart>
export type AguiMessage = z.infer<typeof aguiMessage>
export type AguiToolCall = z.infer<typeof toolCall>

/** A parsed AG-UI request. */
export interface AguiRequest {
  threadId: string
  runId: string
  parentRunId: string | undefined
  /** True when the client knows protocol 1.0. */
  modern: boolean
  messages: AguiMessage[]
  fields: RequestFields
  rawEvents: boolean
  events: AguiEvents
  /** What the application and the tools share; undefined where they share nothing. */
  state?: unknown
}

/**
 * Events that the Python original does not send. A client that does not know one of them ends its run with an error:
 * TOOL_CALL_RESULT is known since `@ag-ui/client` 0.0.30, REASONING_* since 0.0.46, SUBAGENT_* since 0.0.59.
 */
export interface AguiEvents {
  /** SUBAGENT_STARTED, SUBAGENT_FINISHED, SUBAGENT_ERROR. */
  readonly subagents: boolean
  /** REASONING_* events, and reasoning messages in snapshots. */
  readonly reasoning: boolean
  /** TOOL_CALL_RESULT. The snapshot that follows has the result in any case. */
  readonly toolResults: boolean
}

/** The fields of native requests that AG-UI requests may carry too. */
const EXTRAS = [
  'chat_history',
  'additional_instructions',
  'user_context',
  'file_ids',
  'file_urls',
  'client_config',
] as const
const OWN = Object.keys(own.shape)

/**
 * The body of an agency's stream endpoint with `enableAgui`. Keys in snake_case are understood too; the fields of native
 * requests may stand in the body or in `forwardedProps`, and the body wins.
 * @param defaults which optional events are sent when the request does not say it; by default the protocol version decides
 * @throws RequestInvalid
 */
export async function parseAguiRequest(
  body: unknown,
  rules: RequestRules,
  defaults: Partial<AguiEvents> = {},
): Promise<AguiRequest> {
  const given = readAguiBody(body)
  checkCount(given.messages, ['messages'], rules.historyItems)
  const props = isObject(given.forwardedProps) ? given.forwardedProps : {}
  const extras: JsonObject = {}
  for (const name of [...EXTRAS, ...OWN]) extras[name] = given[name] ?? props[name]
  const parsed = await parseInput(given)
  const switches = own.safeParse(extras)
  const { fields, details } = readFields(extras, [], rules)
  if (!switches.success) details.push(...detailsFromZod(switches.error.issues, extras, ['body']))
  const problems = details.map((detail) => inPlace(redactSecrets(detail), given))
  problems.unshift(
    ...detailsFromZod(parsed.issues, given, ['body']).map((detail) => tagged(redactSecrets(detail), given)),
  )
  if (problems.length > 0) throw new RequestInvalid(problems)
  const { threadId, runId, parentRunId, protocolVersion, messages } = parsed.data as z.infer<typeof input>
  const { raw_events, subagent_events, reasoning_events, tool_result_events } = switches.data as z.infer<typeof own>
  const modern = Number.parseInt(protocolVersion ?? '0', 10) >= 1
  return {
    threadId,
    runId,
    parentRunId: parentRunId ?? undefined,
    modern,
    messages,
    fields,
    rawEvents: raw_events === true,
    events: {
      subagents: subagent_events ?? defaults.subagents ?? modern,
      reasoning: reasoning_events ?? defaults.reasoning ?? modern,
      toolResults: tool_result_events ?? defaults.toolResults ?? modern,
    },
  }
}

/** How many messages are checked in one step. */
const STEP = 500

/** Checks a long conversation in steps, so that other requests are not blocked. */
async function parseInput(given: JsonObject): Promise<{ data: unknown; issues: z.core.$ZodIssue[] }> {
  const { messages } = given
  const long = Array.isArray(messages) && messages.length > STEP
  const parsed = input.safeParse(long ? { ...given, messages: [] } : given)
  const issues = parsed.success ? [] : [...parsed.error.issues]
  if (!long) return { data: parsed.data, issues }
  const checked: AguiMessage[] = []
  for (let from = 0; from < messages.length && issues.length < MAX_DETAILS; from += STEP) {
    await takeTurn(from === 0 ? 'first' : 'further')
    const step = z.array(aguiMessage).safeParse(messages.slice(from, from + STEP))
    checked.push(...(step.data ?? []))
    for (const { path, ...issue } of step.error?.issues ?? [])
      issues.push({ ...issue, path: ['messages', from + Number(path[0]), ...path.slice(1)] } as z.core.$ZodIssue)
  }
  return { data: { ...parsed.data, messages: checked }, issues }
}

const extras = Object.entries(agencyRequestSchema.shape).filter(([name]) => EXTRAS.some((extra) => extra === name))
/** The schema of the body, with the name that AG-UI gives it. */
export const aguiRequestSchema: z.ZodType = input
  .extend({ ...Object.fromEntries(extras), ...own.shape })
  .meta({ id: 'RunAgentInput' })

/** Adds the role of the message to its place, as FastAPI does. */
function tagged(detail: ValidationDetail, given: JsonObject): ValidationDetail {
  const [body, field, index, ...rest] = detail.loc
  const message: unknown =
    field === 'messages' && rest.length > 0 ? (given.messages as unknown[])[Number(index)] : undefined
  if (!isObject(message)) return detail
  return { ...detail, loc: [body as string, 'messages', index as number, tagText(message.role), ...rest] }
}

/** The detail with `forwardedProps` in its place, for a field that came from there. */
function inPlace(detail: ValidationDetail, given: JsonObject): ValidationDetail {
  const [place, field, ...rest] = detail.loc
  return given[String(field)] == null
    ? { ...detail, loc: [place as string, 'forwardedProps', field as string, ...rest] }
    : detail
}

const CAMEL = new Map(
  [
    'threadId',
    'runId',
    'parentRunId',
    'protocolVersion',
    'forwardedProps',
    'toolCalls',
    'toolCallId',
    'subagentRunId',
    'encryptedValue',
    'activityType',
    'mimeType',
    'interruptId',
  ].map((name) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), name]),
)

/** The same object, or a copy in which the protocol's own keys are in camelCase. */
function camel(object: JsonObject): JsonObject {
  let copy: JsonObject | undefined
  for (const key of Object.keys(object)) {
    const name = CAMEL.get(key)
    if (name === undefined || Object.hasOwn(object, name)) continue
    copy ??= { ...object }
    copy[name] = object[key]
    delete copy[key]
  }
  return copy ?? object
}

/** The same for nested objects, without fields that are null: snapshots return the messages, and clients reject null. */
function tidy(given: JsonObject): JsonObject {
  const object = camel(given)
  if (!Object.values(object).includes(null)) return object
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
}

/** `object` with a changed field; the same object when nothing changed. */
const withField = (object: JsonObject, field: string, value: unknown): JsonObject =>
  object[field] === value ? object : { ...object, [field]: value }

/** Applies `change` to the objects of a list; the same list when nothing changed. */
function mapObjects(list: unknown, change: (item: JsonObject) => JsonObject): unknown {
  if (!Array.isArray(list)) return list
  const changed = list.map((item: unknown) => (isObject(item) ? change(item) : item))
  return changed.every((item, index) => item === list[index]) ? list : changed
}

function tidyPart(given: JsonObject): JsonObject {
  const part = tidy(given)
  return isObject(part.source) ? withField(part, 'source', tidy(part.source)) : part
}

function tidyMessage(given: JsonObject): JsonObject {
  const message = tidy(given)
  return withField(message, 'content', mapObjects(message.content, tidyPart))
}

/** The body with the protocol's own keys in camelCase, and their values that are null left out. @throws RequestInvalid */
export function readAguiBody(body: unknown): JsonObject {
  const request = camel(asObject(body))
  const messages = mapObjects(request.messages, tidyMessage)
  return withField(withField(request, 'messages', messages), 'resume', mapObjects(request.resume, tidy))
}

/** Building blocks of the OpenAPI document: bodies, answers, and what every operation shares. */
import type { z } from 'zod'
import { type Components, schemaRef, selectReachable, toComponents } from '../wire/components.ts'
import type { JsonObject, JsonSchema } from '../wire/json.ts'
import { classFailure, failure, refusal } from '../wire/responses.ts'
import { validationError } from '../wire/validation.ts'

/** Parts of an OpenAPI 3.1 document. */
export interface ApiParts {
  readonly gate: Gate
  readonly paths: { [path: string]: JsonObject }
  /** All components; the document gets those that its paths refer to. */
  readonly schemas: Components
}

/** Checks that run before every operation. */
export interface Gate {
  /**
   * The bearer token: `required`; `optional` when the server has no token set, so that generated clients can send one later;
   * `none` for routes that never require one.
   */
  token: 'required' | 'optional' | 'none'
  /** True when requests are rate limited. */
  rateLimit: boolean
}

/** What an operation contributes beside its address. */
export type Operation = JsonObject & { responses: { [status: number]: JsonObject } }

/** One endpoint of a route file. `path` is relative to the agency for the endpoints of agencies. */
export interface Endpoint {
  path: string
  method: 'get' | 'post'
  /** Its operation id; a number is appended when another operation has it. */
  id: string
  operation: Operation
}

/** What a route file contributes to the OpenAPI document: its endpoints and the schemas that they refer to. */
export interface Operations {
  endpoints: readonly Endpoint[]
  schemas: readonly z.ZodType[]
}

/** An empty document with the schemas of errors that every server may answer. */
export const emptyParts = (gate: Gate): ApiParts => ({
  gate,
  paths: {},
  schemas: toComponents([refusal, failure, classFailure, validationError]),
})

export const jsonContent = (schema: JsonSchema) => ({ 'application/json': { schema } })
const securitySchemes = { HTTPBearer: { type: 'http', scheme: 'bearer' } }

/** A required request body; `example` is the initial content of API explorers. */
export const bodyOf = (component: string, example?: JsonObject) => ({
  content: {
    'application/json': { schema: schemaRef(component), ...(example === undefined ? {} : { example }) },
  },
  required: true,
})
/** A response whose JSON body is one of these components. */
export const answerOf = (description: string, component: string, ...others: readonly string[]) => ({
  description,
  content: jsonContent(
    others.length === 0 ? schemaRef(component) : { anyOf: [component, ...others].map((name) => schemaRef(name)) },
  ),
})
/** A stream of server-sent events, each with the schema `frame`. Generators that cannot read events take the body as one text. */
export const streamOf = (description: string, frame: string, examples: JsonObject = {}) => ({
  description: `${description} The schema is that of each event for clients that read events, and of the body as one text for those that do not.`,
  content: { 'text/event-stream': { schema: { anyOf: [schemaRef(frame), { type: 'string' }] }, ...examples } },
})

const header = (description: string, type = 'string') => ({ description, schema: { type } })
const UNAUTHORIZED = {
  ...answerOf('The token is missing or wrong.', 'Detail'),
  headers: { 'WWW-Authenticate': header('Present when no token was sent.') },
}
const RETRY_AFTER = { 'Retry-After': header('Seconds to wait before the next try.', 'integer') }
const TOO_MANY = {
  ...answerOf('This caller sent too many requests.', 'Detail'),
  headers: {
    ...RETRY_AFTER,
    'RateLimit-Limit': header('Requests in one window.', 'integer'),
    'RateLimit-Remaining': header('Requests left in this window.', 'integer'),
    'RateLimit-Reset': header('Seconds until the next window.', 'integer'),
  },
}
const TOO_LONG = answerOf('The URL is longer than the server accepts.', 'Detail')
/** Errors of every operation with a body. */
export const BODY_REFUSALS = {
  413: answerOf('The body is larger than the server accepts.', 'Detail'),
  415: answerOf('The body is compressed, or its charset is not UTF-8.', 'Detail'),
  417: answerOf('The Expect header has a value other than 100-continue.', 'Detail'),
  422: answerOf('The body is not valid.', 'HTTPValidationError'),
  503: { ...answerOf('The server is stopping, or at one of its limits.', 'Detail'), headers: RETRY_AFTER },
}

/** The answer of a stream endpoint when its run cannot start. */
export const NOT_STARTED = answerOf('The run could not start. A later failure is reported in the stream.', 'Failure')

/** An empty requirement in the list makes security optional; an empty list means none (OpenAPI 3.1, section 4.8.10). */
const SECURITY: { [rule in Gate['token']]: readonly JsonObject[] } = {
  required: [{ HTTPBearer: [] }],
  optional: [{ HTTPBearer: [] }, {}],
  none: [],
}

/** Adds an operation with the responses and security that every operation has. */
export function addOperation(
  { gate, paths }: ApiParts,
  path: string,
  method: 'get' | 'post',
  operation: Operation,
): void {
  const { token, rateLimit } = gate
  const responses = {
    ...operation.responses,
    ...(token === 'required' ? { 401: UNAUTHORIZED } : {}),
    414: TOO_LONG,
    ...(rateLimit ? { 429: TOO_MANY } : {}),
  }
  paths[path] = { ...paths[path], [method]: { ...operation, responses, security: SECURITY[token] } }
}

/** The complete document. */
export const toDocument = (info: JsonObject, url: string, { paths, schemas }: ApiParts): JsonObject => ({
  openapi: '3.1.0',
  info,
  servers: [{ url }],
  paths,
  components: { schemas: selectReachable(paths, schemas), securitySchemes },
})

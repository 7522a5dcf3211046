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
  /** True when requests have to say whose runs they are about. Default: false. */
  identified?: boolean
  /** True when a ticket takes the place of the token. Default: false. */
  ticket?: boolean
}

/** What an operation contributes beside its address. */
export type Operation = JsonObject & { responses: { [status: number]: JsonObject } }

/** One endpoint of a route file. `path` is relative to the agency for the endpoints of agencies. */
export interface Endpoint {
  path: string
  method: Method
  /** Its operation id; a number is appended when another operation has it. */
  id: string
  operation: Operation
  /** Its refusals carry the code of the error. */
  coded?: boolean
  /** It needs no token. */
  isOpen?: boolean
  /** A ticket opens it. */
  ticket?: boolean
}
export type Method = 'get' | 'post' | 'patch' | 'delete'

/** What a route file contributes to the OpenAPI document: its endpoints and the schemas that they refer to. */
export interface Operations {
  endpoints: readonly Endpoint[]
  schemas: readonly z.ZodType[]
  /** The component of refusals that every operation may answer. Default: `Detail` */
  refusal?: string
  /** Refusals are plain text instead of JSON. */
  plainErrors?: boolean
}

/** An empty document with the schemas of errors that every server may answer. */
export const emptyParts = (gate: Gate): ApiParts => ({
  gate,
  paths: {},
  schemas: toComponents([refusal, failure, classFailure, validationError]),
})

export const jsonContent = (schema: JsonSchema) => ({ 'application/json': { schema } })
const securitySchemes = {
  HTTPBearer: { type: 'http', scheme: 'bearer' },
  Ticket: { type: 'apiKey', in: 'query', name: 'ticket' },
}

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
/** A stream of server-sent events, each with one of the schemas `frames`. Generators that cannot read events take the body as one text. */
export const streamOf = (description: string, frames: string | readonly string[], examples: JsonObject = {}) => ({
  description: `${description} The schema is that of each event for clients that read events, and of the body as one text for those that do not.`,
  content: {
    'text/event-stream': {
      schema: { anyOf: [...[frames].flat().map((name) => schemaRef(name)), { type: 'string' }] },
      ...examples,
    },
  },
})

/** A header of an answer. */
export const header = (description: string, type = 'string') => ({ description, schema: { type } })
const unauthorized = (refusal: string) => ({
  ...answerOf(
    'The token is missing or wrong, or the server does not know whose request it is.',
    'Detail',
    ...(refusal === 'Detail' ? [] : [refusal]),
  ),
  headers: { 'WWW-Authenticate': header('Present when no token was sent.') },
})
export const RETRY_AFTER = { 'Retry-After': header('Seconds to wait before the next try.', 'integer') }
const tooMany = (refusal: string) => ({
  ...answerOf('This caller sent too many requests.', refusal),
  headers: {
    ...RETRY_AFTER,
    'RateLimit-Limit': header('Requests in one window.', 'integer'),
    'RateLimit-Remaining': header('Requests left in this window.', 'integer'),
    'RateLimit-Reset': header('Seconds until the next window.', 'integer'),
  },
})
/** Errors of every operation with a body. @param refusal the component of its refusals */
export const bodyRefusals = (refusal = 'Detail') => ({
  413: answerOf('The body is larger than the server accepts.', refusal),
  415: answerOf('The body is compressed, or its charset is not UTF-8.', refusal),
  417: answerOf('The Expect header has a value other than 100-continue.', refusal),
  422: answerOf('The body is not valid.', 'HTTPValidationError'),
  503: { ...answerOf('The server is stopping, or at one of its limits.', refusal), headers: RETRY_AFTER },
})
export const BODY_REFUSALS = bodyRefusals()

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
  method: Method,
  operation: Operation,
  refusal = 'Detail',
): void {
  const { token, rateLimit, identified, ticket = false } = gate
  const responses = {
    ...operation.responses,
    ...(token === 'required' || identified || ticket ? { 401: unauthorized(refusal) } : {}),
    ...(token === 'none' ? {} : { 403: answerOf('The request has a ticket that does not allow it.', refusal) }),
    414: answerOf('The URL is longer than the server accepts.', refusal),
    ...(rateLimit ? { 429: tooMany(refusal) } : {}),
  }
  paths[path] = {
    ...paths[path],
    [method]: {
      ...operation,
      responses: refusal === 'text' ? toPlain(responses) : responses,
      security: ticket ? [{ Ticket: [] }, ...SECURITY[token]] : SECURITY[token],
    },
  }
}

/** The same responses with refusals in plain text. */
function toPlain(responses: { [status: number]: JsonObject }) {
  const content = { 'text/plain': { schema: { type: 'string' } } }
  return Object.fromEntries(
    Object.entries(responses).map(([status, answer]) => [
      status,
      Number(status) < 400 ? answer : { ...answer, content },
    ]),
  )
}

/** The complete document. */
export const toDocument = (info: JsonObject, url: string, { paths, schemas }: ApiParts): JsonObject => ({
  openapi: '3.1.0',
  info,
  servers: [{ url }],
  paths,
  components: { schemas: selectReachable(paths, schemas), securitySchemes },
})

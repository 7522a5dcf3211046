import diagnostics from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { createParser } from 'eventsource-parser'
import type { FastifyInstance, FastifyRequest } from 'fastify'

type Json = { [key: string]: unknown }
interface Operation {
  responses: { [status: string]: { content?: { [type: string]: { schema: Json; examples?: unknown } } } }
}
/** What is needed of an OpenAPI document. */
export interface ApiDocument {
  paths: { [path: string]: { [method: string]: Operation } }
  components: { schemas: { [name: string]: Json } }
}

/** One answer of a server; `path` is as it was written, without its query and the prefix of the API. */
export interface Answer {
  method: string
  path: string
  status: number
  contentType?: string | undefined
  /** The Allow header. */
  allow?: string | undefined
  /** The request asked for permission to make another one. */
  preflight?: boolean
  /** The parsed body, or one event of a stream; undefined where it is not looked at. */
  body?: unknown
}

/** Judges answers by an OpenAPI document, in which fields that it does not name count as wrong. */
export class Contract {
  readonly #schemas: Schemas
  readonly #paths = new Map<string, { written: string; operations: { [method: string]: Operation } }>()

  constructor({ paths, components }: ApiDocument) {
    for (const [written, operations] of Object.entries(paths)) this.#paths.set(keyOf(written), { written, operations })
    this.#schemas = findSchemas(components)
  }

  /** What is wrong with an answer; undefined when the document says all of it. */
  judge(answer: Answer): string | undefined {
    const { method, path, status, contentType = '', allow, preflight = false, body } = answer
    const problem = (what: string) => `${method} ${path} ${status}: ${what}`
    if (isBeforeOperations(answer)) return undefined
    if (path === '/mcp') return undefined // another protocol, with its own tests
    const known = this.#paths.get(keyOf(path)) ?? this.#pattern(path)
    if (known === undefined) {
      const expected = /^\/$|^\/(docs|redoc|openapi\.json|playground)(\/|$)/.test(path)
        ? [200, 304, 307, 401, 404, 405, 414, 422, 429] // the page's own door among them
        : [307, 404, 414, 429]
      return preflight || expected.includes(status) ? undefined : problem('the path is not documented')
    }
    const name = method === 'HEAD' && known.operations.head === undefined ? 'get' : method.toLowerCase()
    const operation = known.operations[name]
    if (operation === undefined) {
      const methods = Object.keys(known.operations).map((one) => one.toUpperCase())
      const refused = status === 405 && allow?.split(', ').sort().join() === methods.sort().join()
      const allowed = preflight && [200, 400, 429].includes(status)
      return refused || allowed ? undefined : problem(`not documented; expected: 405 with Allow ${methods}`)
    }
    if (method === 'HEAD' && status === 405) return undefined
    const response = operation.responses[status]
    if (response === undefined) return problem('the status is not documented')
    const content = response.content ?? {}
    const [type = ''] = contentType.split(';')
    if (type === '' && response.content === undefined) return undefined
    if (content[type] === undefined) return problem(`the content type "${contentType}" is not documented`)
    const reason = body === undefined ? undefined : this.#schemas.judge(content[type].schema, body)
    return reason === undefined ? undefined : problem(`${reason}: ${JSON.stringify(body).slice(0, 500)}`)
  }

  /** The path with parameters that fits. */
  #pattern(path: string) {
    const parts = path.split('/')
    return [...this.#paths.values()].find(({ written }) => {
      const names = written.split('/')
      return (
        names.length === parts.length &&
        names.every((name, index) =>
          /^\{.+\}$/.test(name) ? parts[index] !== '' : keyOf(name) === keyOf(parts[index] ?? ''),
        )
      )
    })
  }
}

/**
 * The components of a document, and what refers to them. A schema is compiled once, when a value meets it. Whether it is a valid
 * schema at all is not checked here: contract.test.ts validates whole documents.
 */
class Schemas {
  readonly #ajv = new Ajv2020({
    strict: false,
    validateFormats: false,
    logger: false,
    meta: false,
    validateSchema: false,
    inlineRefs: false,
    code: { optimize: false },
  })
  readonly #compiled = new Map<string, ValidateFunction>()
  /** Why a value did not fit, the innermost reason first. */
  readonly #reasons: string[] = []

  constructor(components: ApiDocument['components']) {
    this.#ajv.removeKeyword('contentSchema')
    this.#ajv.addKeyword({
      keyword: 'contentSchema',
      type: 'string',
      validate: (schema: Json, text: string) => {
        const value = parse(text)
        return value !== undefined && this.#fits(schema, value)
      },
    })
    this.#ajv.addSchema({ components: closeObjects(components) }, 'api')
  }

  /** Why a value does not fit; undefined when it does. */
  judge(schema: Json, value: unknown): string | undefined {
    this.#reasons.length = 0
    return this.#fits(schema, value) ? undefined : this.#reasons[0]
  }

  #fits(schema: Json, value: unknown): boolean {
    const key = JSON.stringify(schema).replaceAll('"$ref":"#', '"$ref":"api#')
    const validate = this.#compiled.get(key) ?? this.#ajv.compile(closeObjects(JSON.parse(key)) as Json)
    this.#compiled.set(key, validate)
    const fits = validate(value) as boolean
    if (!fits) this.#reasons.push(this.#ajv.errorsText(validate.errors))
    return fits
  }
}

/** Most servers of a process have the same components, and compiling them takes longer than most tests. */
const known = new Map<string, Schemas>()

function findSchemas(components: ApiDocument['components']): Schemas {
  const key = JSON.stringify(components)
  const schemas = known.get(key) ?? new Schemas(components)
  known.set(key, schemas)
  return schemas
}

/** Undefined for a text that is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What the document's description says of every request, whatever it asks for. */
const isBeforeOperations = ({ status, body }: Answer) =>
  (status === 400 || status === 403) && /Host|Origin/.test((body as { detail?: string } | undefined)?.detail ?? '')

/** Paths that differ only in how they are escaped are one. */
const keyOf = (path: string) =>
  path
    .split('/')
    .map((part) => {
      try {
        return encodeURIComponent(decodeURIComponent(part))
      } catch {
        return part
      }
    })
    .join('/')

/** A copy in which objects with named fields take no others, unless they say that they do. */
function closeObjects(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closeObjects)
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, closeObjects(part)]))
  return copy.type === 'object' && typeof copy.properties === 'object' ? { additionalProperties: false, ...copy } : copy
}

/** How many events of one stream are looked at. */
const EVENTS = 500

/**
 * Watches every Fastify instance of this process that serves an OpenAPI document, made by whatever door: each answer is
 * judged by the document of its own server, and what is wrong is reported.
 * @returns what ends it for servers that are made later
 */
export function watchServers(report: (violation: string) => void): () => void {
  const listen = (message: unknown) => watch((message as { fastify: FastifyInstance }).fastify, report)
  diagnostics.subscribe('fastify.initialization', listen)
  return () => diagnostics.unsubscribe('fastify.initialization', listen)
}

function watch(app: FastifyInstance, report: (violation: string) => void): void {
  let prefix: string | undefined
  let read = async (): Promise<ApiDocument> => ({ paths: {}, components: { schemas: {} } })
  let contract: Promise<Contract> | undefined
  const judge = async (answer: Answer) => {
    contract ??= read().then((document) => new Contract(document))
    const violation = (await contract).judge(answer)
    if (violation !== undefined) report(violation)
  }
  /** Undefined for what is not the API's. */
  const askedOf = ({ method, url, headers }: FastifyRequest) => {
    const [path = ''] = url.replace(/^https?:\/\/[^/]*/, '').split(/[?#]/)
    if (prefix === undefined || !path.startsWith(prefix)) return undefined
    const preflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
    return { method, path: path.slice(prefix.length), preflight }
  }
  app.addHook('onRoute', ({ method, url, handler }) => {
    if (method !== 'GET' || !url.endsWith('/openapi.json')) return
    prefix = url.slice(0, -'/openapi.json'.length)
    read = () => readDocument(handler.bind(app))
  })
  app.addHook('onRequest', (request, reply, done) => {
    const asked = askedOf(request)
    if (asked !== undefined)
      watchStream(reply.raw, (body) => judge({ ...asked, status: 200, contentType: 'text/event-stream', body }))
    done()
  })
  app.addHook('onSend', async (request, reply, payload) => {
    const asked = askedOf(request)
    if (asked === undefined || request.raw.socket?.destroyed) return payload // nobody reads the answer
    const contentType = reply.getHeader('content-type')?.toString()
    const isJson = typeof payload === 'string' && payload !== '' && contentType?.startsWith('application/json')
    const body = isJson ? JSON.parse(payload) : undefined
    await judge({ ...asked, status: reply.statusCode, contentType, allow: reply.getHeader('allow')?.toString(), body })
    return payload
  })
}

/** Asks a route for its document past the server, which would count and log a request, and want its token. */
async function readDocument(handler: (...args: never[]) => unknown): Promise<ApiDocument> {
  let written: Readable | undefined
  const reply = {
    header: () => reply,
    headers: () => reply,
    send: (document: Readable) => {
      written = document
      return reply
    },
  }
  const answer = await handler(...([{ protocol: 'http', host: 'localhost', headers: {} }, reply] as never[]))
  return (written === undefined ? answer : await json(written)) as ApiDocument
}

/** Tells the events of an answer that is an event stream, as readers of such streams see them. */
function watchStream(raw: ServerResponse, tell: (event: { event: string; data: string }) => void): void {
  let count = 0
  const parser = createParser({
    onEvent: ({ event = 'message', data }) => {
      if (count++ < EVENTS || event !== 'message') tell({ event, data })
    },
  })
  const listened =
    <Args extends unknown[], Result>(send: (...args: Args) => Result) =>
    (...args: Args): Result => {
      if (typeof args[0] === 'string') parser.feed(args[0])
      return send.apply(raw, args)
    }
  const writeHead = raw.writeHead.bind(raw)
  raw.writeHead = ((status: number, headers: { [name: string]: string } = {}) => {
    if (headers['content-type']?.startsWith('text/event-stream'))
      Object.assign(raw, { write: listened(raw.write), end: listened(raw.end) })
    return writeHead(status, headers)
  }) as typeof writeHead
}

/** `toolsFromOpenApi()`: one function tool for each operation of an OpenAPI document. */
import type { Agent } from 'undici'
import { once } from '../../base/async.ts'
import { AgencyError, errorText } from '../../base/errors.ts'
import { MAX_MS } from '../../base/limits.ts'
import { refuseUnknown } from '../../base/options.ts'
import { invalidOption } from '../../base/start-errors.ts'
import { isObject, isPlainObject, type JsonObject, type JsonSchema } from '../../wire/json.ts'
import { createRedactor } from '../../wire/redact.ts'
import { missing } from '../../wire/validation.ts'
import { createServerCheck } from '../check.ts'
import type { FunctionTool, ToolContext } from '../tool.ts'
import { bytesToRead, readResult } from './answers.ts'
import { authorize, type OpenApiAuth, readSchemes } from './auth.ts'
import { loadDocument, type OpenApiDocument } from './document.ts'
import { exchange } from './exchange.ts'
import { listOperations, type OpenApiOperation, type Operation, type OperationChoice } from './operations.ts'
import { buildRequest, type Fixed, serverOf } from './requests.ts'
import { BYTES_NOTE, SchemaReader } from './schemas.ts'

/** Headers of every call, or a function that gives those of one run. */
export type OpenApiHeaders =
  | { readonly [name: string]: string }
  | ((context: ToolContext) => { [name: string]: string } | Promise<{ [name: string]: string }>)

/** Options of `toolsFromOpenApi()`. All are optional. */
export interface OpenApiToolsOptions {
  /** Headers of every call, such as `{ authorization: 'Bearer ...' }`. The model does not see them. @default {} */
  headers?: OpenApiHeaders | undefined
  /**
   * Parameters of every call. One that the document has is sent where the document says and is hidden from the model; any other is
   * added to the query.
   * @default {}
   */
  params?: { readonly [name: string]: unknown } | undefined
  /**
   * Credentials by the name of the document's security scheme: an API key goes into its header, query or cookie; all others become
   * an `Authorization` header. A function gets the context of the call, for credentials of one user.
   * @default {}
   */
  auth?: OpenApiAuth | undefined
  /** Which operations become tools: a list of ids, or a function. Models work best with few. @default all */
  operations?: OperationChoice | undefined
  /** The address of the API, instead of the document's `servers`. It may be inside your network. @default the first server */
  baseUrl?: string | URL | undefined
  /** Values for the variables in the address of the server. @default the document's defaults */
  serverVariables?: { readonly [name: string]: string } | undefined
  /** Put before the name of every tool. @default '' */
  namePrefix?: string | undefined
  /** Ask the provider to follow the schemas exactly, where strict mode can express them. @default true */
  strict?: boolean | undefined
  /** Calls wait until a person has approved them: of all operations, or of those that a function chooses. See `needsApproval` of `tool()`. @default false */
  needsApproval?: boolean | ((operation: OpenApiOperation) => boolean) | undefined
  /** How long one call may take, in milliseconds. @default 90_000 */
  timeoutMs?: number | undefined
  /** How much of a text or JSON a model gets, in bytes; at most 262,144. A longer one is cut off, and the model is told. @default 131_072 */
  maxResultBytes?: number | undefined
}

const OPTIONS = new Set<string>([
  ...(['headers', 'params', 'auth', 'operations', 'baseUrl', 'serverVariables', 'namePrefix'] as const),
  ...(['strict', 'needsApproval', 'timeoutMs', 'maxResultBytes'] as const),
] satisfies (keyof OpenApiToolsOptions)[])

/** Methods that only read (RFC 9110, 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'QUERY'])
const MAX_RESULT_BYTES = 262_144
/** Longest description that every provider accepts, in characters. */
const MAX_DESCRIPTION_CHARS = 1_024

/**
 * Turns an OpenAPI document (3.0, 3.1, 3.2, or Swagger 2.0) into function tools, one for each operation. A tool is named after
 * its `operationId` and takes `{ parameters, requestBody }`.
 *
 * @param source the document as an object, as a text in JSON or YAML, as the path or `file:` URL of a file, or as an http(s) address
 * @throws INVALID_TOOL for a document that cannot be read, has a broken reference, or names no server; INVALID_OPTION;
 *   PACKAGE_MISSING when YAML needs the package `yaml`, or Swagger 2.0 the package `@scalar/openapi-upgrader`
 * @example
 * const tools = await toolsFromOpenApi('./weather.yaml', {
 *   operations: ['getForecast'],
 *   auth: { apiKey: process.env.WEATHER_KEY ?? '' },
 * })
 */
export async function toolsFromOpenApi(
  source: string | URL | { readonly [key: string]: unknown },
  options: OpenApiToolsOptions = {},
): Promise<FunctionTool[]> {
  return toTools(await loadDocument(source), options)
}

/** The tools of a document that is loaded. @throws as `toolsFromOpenApi` */
export function toTools(document: OpenApiDocument, options: OpenApiToolsOptions): FunctionTool[] {
  checkOptions(options)
  const { operations, namePrefix = '', auth = {}, strict = true, needsApproval = false } = options
  const asks = typeof needsApproval === 'function' ? needsApproval : () => needsApproval
  const schemes = readSchemes(document, auth)
  const list = listOperations(document, { operations, namePrefix })
  const servers = list.map((operation) => serverOf(document, operation, readServer(options)))
  const agent = createConnections(document, options.baseUrl === undefined && document.url !== undefined ? [] : servers)
  const reader = new SchemaReader(document)
  return list.map((operation, index) => {
    const server = servers[index] as URL
    const parameters = toParameters(operation, reader, options)
    const call: Call = { operation, server, agent, schemes, options }
    return Object.freeze<FunctionTool>({
      kind: 'function',
      origin: 'function',
      name: operation.name,
      description: describe(operation),
      parameters,
      strict,
      oneCallAtATime: false,
      ...(asks(operation) ? { needsApproval: true } : {}),
      ...(SAFE.has(operation.method) ? { safeToRetry: true } : {}),
      check: createOperationCheck(parameters),
      run: (value, context) => runCall(call, value as JsonObject, context),
    })
  })
}

const readServer = ({ baseUrl, serverVariables = {} }: OpenApiToolsOptions) => ({ baseUrl, serverVariables })

/** @throws INVALID_OPTION */
function checkOptions(options: OpenApiToolsOptions): void {
  refuseUnknown('toolsFromOpenApi()', options, OPTIONS, { timeout: 'timeoutMs', schema: 'the first argument' })
  const wrong = (name: string, expected: string) => invalidOption(`${name} of toolsFromOpenApi() must be ${expected}.`)
  const { operations, headers, timeoutMs, maxResultBytes, baseUrl } = options
  for (const name of ['params', 'auth', 'serverVariables'] as const)
    if (options[name] !== undefined && !isPlainObject(options[name])) throw wrong(name, 'an object')
  if (headers !== undefined && typeof headers !== 'function' && !isPlainObject(headers))
    throw wrong('headers', 'an object or a function')
  if (operations !== undefined && typeof operations !== 'function' && !Array.isArray(operations))
    throw wrong('operations', 'a list of operation ids or a function')
  if (baseUrl !== undefined && !/^https?:$/.test(URL.parse(String(baseUrl))?.protocol ?? ''))
    throw wrong('baseUrl', 'an http(s) address')
  for (const [name, value, most] of [
    ['timeoutMs', timeoutMs, MAX_MS],
    ['maxResultBytes', maxResultBytes, MAX_RESULT_BYTES],
  ] as const)
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= most))
      throw wrong(name, `a whole number from 1 to ${most}`)
}

/**
 * The connections of all tools of a document. What the program's own files and code name may be inside its network; what a fetched
 * document names must be public, unless it is the host of the document.
 */
function createConnections({ url }: OpenApiDocument, named: readonly URL[]): () => Promise<Agent> {
  const trusted = new Set([...named, ...(url === undefined ? [] : [new URL(url)])].map(({ origin }) => origin))
  return once(async () => {
    const { createGuardedAgent } = await import('../../net/guard.ts')
    return createGuardedAgent({}, undefined, (origin) => trusted.has(origin))
  })
}

function describe({ description, summary, method, path }: Operation): string {
  const text = description || summary || `${method} ${path}`
  return text.length > MAX_DESCRIPTION_CHARS ? `${text.slice(0, MAX_DESCRIPTION_CHARS - 3)}...`.toWellFormed() : text
}

/** The schema of the arguments: `{ parameters, requestBody }`, as in the original. */
function toParameters(
  operation: Operation,
  reader: SchemaReader,
  { params = {}, headers }: OpenApiToolsOptions,
): JsonSchema {
  const fixedHeaders = isObject(headers) ? Object.keys(headers).map((name) => name.toLowerCase()) : []
  const open = operation.parameters.filter(
    ({ name, in: where }) =>
      !Object.hasOwn(params, name) && !(where === 'header' && fixedHeaders.includes(name.toLowerCase())),
  )
  const place = `${operation.method} ${operation.path}`
  const properties: JsonObject = {}
  if (open.length > 0)
    properties.parameters = toObject(
      open.map(({ key, schema, description, required }) => {
        const node = reader.read(schema, `${place}, parameter ${key}`)
        return { key, required, node: description === '' ? node : { ...node, description } }
      }),
    )
  const { body } = operation
  if (body !== undefined) {
    const node = reader.read(body.schema, `the body of ${place}`)
    // Without a type, a body that is not JSON is a text or bytes.
    const plain = /json|form|\*/.test(body.mediaType) || node.type !== undefined || '$ref' in node
    const described = plain ? node : { ...node, type: 'string', description: BYTES_NOTE }
    properties.requestBody = body.description === '' ? described : { description: body.description, ...described }
  }
  const required = [
    ...(open.some((parameter) => parameter.required) ? ['parameters'] : []),
    ...(body?.required ? ['requestBody'] : []),
  ]
  return reader.complete({ type: 'object', properties, required, additionalProperties: false })
}

const toObject = (fields: readonly { key: string; required: boolean; node: JsonSchema }[]): JsonSchema => ({
  type: 'object',
  properties: Object.fromEntries(fields.map(({ key, node }) => [key, node])),
  required: fields.filter(({ required }) => required).map(({ key }) => key),
  additionalProperties: false,
})

/** The API checks its arguments itself; a call without a required parameter is not sent. */
function createOperationCheck(schema: JsonSchema): FunctionTool['check'] {
  const check = createServerCheck(schema, schema.required)
  const { parameters } = isObject(schema.properties) ? schema.properties : {}
  const names = isObject(parameters) && Array.isArray(parameters.required) ? parameters.required.map(String) : []
  return async (input, loc, from) => {
    const checked = await check(input, loc, from)
    if (!checked.ok || names.length === 0) return checked
    const given = (checked.value as JsonObject).parameters
    const absent = names.filter((name) => !isObject(given) || given[name] === undefined)
    return absent.length === 0
      ? checked
      : { ok: false, details: absent.map((name) => missing([...loc, 'parameters', name], given)) }
  }
}

/** What the calls of one tool need. */
interface Call {
  operation: Operation
  server: URL
  agent: () => Promise<Agent>
  schemes: ReadonlyMap<string, JsonObject>
  options: OpenApiToolsOptions
}

async function runCall({ operation, server, agent, schemes, options }: Call, value: JsonObject, context: ToolContext) {
  const { headers = {}, params = {}, auth = {}, timeoutMs = 90_000, maxResultBytes = 131_072 } = options
  const what = `${operation.method} ${operation.path}`
  const fixed: Fixed = { headers: typeof headers === 'function' ? await headers(context) : headers, params }
  const credentials = await authorize(operation, { schemes, auth }, context)
  const redact = createRedactor(() => [...credentials.secrets, ...secretsIn(fixed.headers), ...secretsIn(params)])
  const request = await buildRequest(operation, server, value, { fixed, credentials })
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([context.signal, timeout])
  try {
    const answer = await exchange(await agent(), request, { signal, maxBytes: bytesToRead(maxResultBytes) })
    return readResult(answer, what, redact)
  } catch (error) {
    context.signal.throwIfAborted()
    if (timeout.aborted) throw new Error(`${what} was not answered within ${timeoutMs / 1000} seconds.`)
    throw isNetworkError(error) ? new Error(redact(unreachable(server, error)), { cause: error }) : error
  }
}

const isNetworkError = (error: unknown) => error instanceof AgencyError || (error instanceof Error && 'code' in error)

function unreachable({ host }: URL, error: unknown): string {
  if (error instanceof AgencyError && error.code === 'GATEWAY_REFUSED')
    return `Requests to ${host} are not sent, because it is not a public address. The program can allow it with baseUrl.`
  const code = String((error as { code?: unknown }).code ?? '')
  return `${host} could not be reached: ${[code, errorText(error)].filter((text) => text !== '').join(', ')}.`
}

/** Values that are secrets by the name that they go under. */
const secretsIn = (values: { readonly [name: string]: unknown }): string[] =>
  Object.entries(values)
    .filter(([name]) => /auth|key|token|secret|cookie|passw|session|credential/i.test(name))
    .flatMap(([, value]) => (typeof value === 'string' ? [value, value.replace(/^\w+ /, '')] : []))

/** Builds the request of one call from the arguments of its tool. */
import { invalidTool } from '../../base/start-errors.ts'
import { VERSION } from '../../base/version.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { Credentials } from './auth.ts'
import { writeBody } from './bodies.ts'
import type { OpenApiDocument } from './document.ts'
import type { HttpRequest } from './exchange.ts'
import type { Operation, Parameter } from './operations.ts'
import { joinPairs, type Pair, percentEncode, type Style, toHeader, toPairs, toPath, toText } from './styles.ts'

/** What every call of a document sends besides the arguments. */
export interface Fixed {
  headers: { [name: string]: string }
  params: JsonObject
}

/**
 * The address of an operation's server, without a slash at its end.
 * @throws INVALID_TOOL when there is none
 */
export function serverOf(
  document: OpenApiDocument,
  { servers }: Operation,
  { baseUrl, serverVariables }: { baseUrl: string | URL | undefined; serverVariables: { [name: string]: string } },
): URL {
  const [first] = servers
  const { url = '/', variables = {} } = isObject(first) ? first : {}
  const written =
    baseUrl === undefined
      ? String(url).replace(/\{([^{}]+)\}/g, (whole, name: string) => {
          const variable = isObject(variables) && Object.hasOwn(variables, name) ? variables[name] : undefined
          return serverVariables[name] ?? (isObject(variable) ? toText(variable.default) : whole)
        })
      : String(baseUrl)
  const server = URL.parse(written, baseUrl === undefined ? document.url : undefined)
  if (server !== null && /^https?:$/.test(server.protocol)) return server
  throw invalidTool(
    `The OpenAPI document ${document.label} names no server that can be called (${JSON.stringify(written)}). Pass its address: baseUrl: "https://api.example.com".`,
  )
}

/** @throws an Error that tells the model which argument is missing or cannot be sent */
export async function buildRequest(
  operation: Operation,
  server: URL,
  args: JsonObject,
  { fixed, credentials }: { fixed: Fixed; credentials: Credentials },
): Promise<HttpRequest> {
  const values = readValues(operation.parameters, args, fixed)
  const path = operation.path.replace(/\{([^{}]+)\}/g, (whole, name: string) => {
    const found = values.find(([parameter]) => parameter.in === 'path' && parameter.name === name)
    return found === undefined ? whole : writeInPath(...found)
  })
  const query = [
    ...values.flatMap(([parameter, value]) => writeInQuery(parameter, value)),
    ...unclaimed(fixed.params, operation.parameters),
    ...Object.entries(credentials.query).map(([name, value]) => [percentEncode(name), percentEncode(value)] as const),
  ]
  const base = server.pathname.endsWith('/') ? server.pathname.slice(0, -1) : server.pathname
  const url = new URL(server.origin + base + path)
  if (query.length > 0) url.search += `${url.search === '' ? '' : '&'}${joinPairs(query)}`
  url.hash = '' // some documents tell operations of one path apart by it
  const sendsBody = operation.body !== undefined && args.requestBody !== undefined
  const written = sendsBody
    ? await writeBody(operation.body as NonNullable<Operation['body']>, args.requestBody)
    : undefined
  return {
    method: operation.method,
    url,
    body: written?.body,
    headers: {
      accept: 'application/json, text/*;q=0.9, */*;q=0.8',
      'user-agent': `agency-swarm-js/${VERSION}`,
      ...(written === undefined ? {} : { 'content-type': written.contentType }),
      ...writeHeaders(values),
      ...lowerCased(fixed.headers),
      ...credentials.headers,
      ...cookieHeader(values, { ...credentials.cookies }),
    },
  }
}

/** The parameters that have a value; a fixed one comes before that of the model. */
function readValues(
  parameters: readonly Parameter[],
  { parameters: given }: JsonObject,
  { params }: Fixed,
): (readonly [Parameter, unknown])[] {
  const args = isObject(given) ? given : {}
  return parameters.flatMap((parameter) => {
    const { name, key } = parameter
    const value = Object.hasOwn(params, name) ? params[name] : Object.hasOwn(args, key) ? args[key] : undefined
    if (value === undefined && parameter.in === 'path') throw new Error(`parameters.${key} is required.`)
    return value === undefined ? [] : [[parameter, value] as const]
  })
}

/** Fixed parameters that the document does not know go into the query. */
const unclaimed = (params: JsonObject, parameters: readonly Parameter[]): Pair[] =>
  Object.entries(params)
    .filter(([name, value]) => value != null && !parameters.some((parameter) => parameter.name === name))
    .flatMap(([name, value]) => toPairs(name, value, FORM))

const FORM: Style = { style: 'form', explode: true, allowReserved: false }

const writeInPath = (parameter: Parameter, value: unknown): string =>
  toPath(parameter.key, parameter.mediaType === undefined ? value : JSON.stringify(value), parameter)

function writeInQuery(parameter: Parameter, value: unknown): Pair[] {
  const { name, mediaType } = parameter
  if (parameter.in === 'query')
    return mediaType === undefined ? toPairs(name, value, parameter) : toPairs(name, JSON.stringify(value), FORM)
  if (parameter.in !== 'querystring') return []
  // OpenAPI 3.2: the whole query, written as its media type says.
  return isObject(value) && /form-urlencoded/.test(String(mediaType))
    ? Object.entries(value).flatMap(([field, item]) => toPairs(field, item, FORM))
    : [[percentEncode(value), '']]
}

function writeHeaders(values: readonly (readonly [Parameter, unknown])[]): { [name: string]: string } {
  return Object.fromEntries(
    values
      .filter(([parameter]) => parameter.in === 'header')
      .map(([parameter, value]) => {
        const text = parameter.mediaType === undefined ? toHeader(value, parameter) : JSON.stringify(value)
        if (/[^\t\x20-\x7E\x80-\xFF]/.test(text))
          throw new Error(`parameters.${parameter.key} has characters that a header cannot have.`)
        return [parameter.name.toLowerCase(), text]
      }),
  )
}

const lowerCased = (headers: { [name: string]: string }) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

function cookieHeader(
  values: readonly (readonly [Parameter, unknown])[],
  more: { [name: string]: string },
): { cookie?: string } {
  const pairs = [
    ...values.filter(([{ in: where }]) => where === 'cookie').flatMap(([one, value]) => toPairs(one.name, value, one)),
    ...Object.entries(more).map(([name, value]) => [name, value] as const),
  ]
  if (pairs.length === 0) return {}
  const cookie = joinPairs(pairs, '; ')
  if (/[^\x20-\x7E]/.test(cookie)) throw new Error('A cookie has characters that a header cannot have.')
  return { cookie }
}

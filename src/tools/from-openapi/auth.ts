/** Puts credentials into requests, as the security schemes of an OpenAPI document say. */
import { invalidTool } from '../../base/start-errors.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { ToolContext } from '../tool.ts'
import { follow, type OpenApiDocument } from './document.ts'
import type { Operation } from './operations.ts'

/** A key or token; for HTTP basic authentication a name and a password. */
export type OpenApiCredential = string | { username: string; password: string }
/** The name of a security scheme -> its credential, or a function that gives the one of a run. */
export type OpenApiAuth = {
  readonly [scheme: string]:
    | OpenApiCredential
    | ((context: ToolContext) => OpenApiCredential | undefined | Promise<OpenApiCredential | undefined>)
}

/** Where credentials go. */
export interface Credentials {
  headers: { [name: string]: string }
  query: { [name: string]: string }
  cookies: { [name: string]: string }
  /** Everything in them that no text may show. */
  secrets: string[]
}

/** The security schemes of a document. @throws INVALID_TOOL for a name in `auth` that is not one of them */
export function readSchemes(document: OpenApiDocument, auth: OpenApiAuth): ReadonlyMap<string, JsonObject> {
  const { components } = document.root
  const given = isObject(components) && isObject(components.securitySchemes) ? components.securitySchemes : {}
  const schemes = new Map(
    Object.entries(given).flatMap(([name, value]) => {
      const scheme = follow(document, value, `the security scheme "${name}"`)
      return isObject(scheme) ? [[name, scheme] as const] : []
    }),
  )
  const unknown = Object.keys(auth).find((name) => !schemes.has(name))
  if (unknown !== undefined)
    throw invalidTool(
      `The OpenAPI document ${document.label} has no security scheme "${unknown}". ${schemes.size === 0 ? 'It has none: use headers or params.' : `It has: ${[...schemes.keys()].join(', ')}.`}`,
    )
  return schemes
}

/** The credentials for one call: those of the first requirement that `auth` meets. */
export async function authorize(
  { security }: Operation,
  { schemes, auth }: { schemes: ReadonlyMap<string, JsonObject>; auth: OpenApiAuth },
  context: ToolContext,
): Promise<Credentials> {
  const credentials: Credentials = { headers: {}, query: {}, cookies: {}, secrets: [] }
  for (const name of chooseSchemes(security, Object.keys(auth))) {
    const given = auth[name]
    const credential = typeof given === 'function' ? await given(context) : given
    const scheme = schemes.get(name)
    if (credential !== undefined && scheme !== undefined) place(credentials, scheme, credential)
  }
  return credentials
}

/** Without requirements in the document, everything that was given is sent; an empty list of them means that nothing is. */
function chooseSchemes(security: readonly JsonObject[] | undefined, given: readonly string[]): readonly string[] {
  if (security === undefined) return given
  const wanted = security.map((requirement) => Object.keys(requirement)).filter((names) => names.length > 0)
  return wanted.find((names) => names.every((name) => given.includes(name))) ?? []
}

function place(credentials: Credentials, scheme: JsonObject, credential: OpenApiCredential): void {
  const { headers, secrets } = credentials
  const text = typeof credential === 'string' ? credential : `${credential.username}:${credential.password}`
  secrets.push(text)
  if (typeof credential !== 'string') secrets.push(credential.password)
  const kind = String(scheme.scheme).toLowerCase()
  if (scheme.type === 'apiKey') {
    const name = String(scheme.name)
    if (scheme.in === 'query') credentials.query[name] = text
    else if (scheme.in === 'cookie') credentials.cookies[name] = text
    else headers[name.toLowerCase()] = text
  } else if (scheme.type === 'http' && kind === 'basic')
    headers.authorization = `Basic ${Buffer.from(text).toString('base64')}`
  else if (scheme.type === 'http' && kind !== 'bearer') headers.authorization = `${scheme.scheme} ${text}`
  else headers.authorization = `Bearer ${text}`
}

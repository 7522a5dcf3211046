/** Reads an OpenAPI document: a file, an address, a text or an object becomes one document of OpenAPI 3. */
import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { AgencyError, errorText } from '../../base/errors.ts'
import { invalidTool, packageMissing } from '../../base/start-errors.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { resolveRef } from '../local-refs.ts'
import { exchange } from './exchange.ts'

/** Largest document that is read, in bytes. GitHub's has 12 MB. */
const MAX_BYTES = 64 * 1024 * 1024
/** How long an address may take to send its document. */
const LOAD_MS = 30_000
/** Most values that the aliases of a YAML document may repeat. */
const MAX_ALIASES = 10_000

/** A document of OpenAPI 3, its references unresolved. */
export interface OpenApiDocument {
  readonly root: JsonObject
  /** How errors name it. */
  readonly label: string
  /** The address that it was fetched from; undefined for a document of this machine. */
  readonly url: string | undefined
}

/**
 * Loads a document.
 * @param source an object; a text in JSON or YAML; the path or `file:` URL of a file; an http(s) address
 * @throws INVALID_TOOL when it cannot be read or is no OpenAPI document; PACKAGE_MISSING for YAML or Swagger 2.0 without its package
 */
export async function loadDocument(source: string | URL | object): Promise<OpenApiDocument> {
  if (!(source instanceof URL) && typeof source === 'object') return readDocument(source, 'that was passed')
  const place = String(source).trim()
  if (/^https?:\/\//i.test(place)) return fetchDocument(new URL(place))
  // A document and not a path: an object of JSON, or several lines.
  if (place.startsWith('{') || place.includes('\n'))
    return readDocument(parseText(place, 'that was passed'), 'that was passed')
  return readDocumentFile(place.startsWith('file:') ? fileURLToPath(place) : place)
}

/** Reads the document in a file. @throws as `loadDocument` */
export function readDocumentFile(path: string): OpenApiDocument {
  const label = `"${path}"`
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isFile() !== true) throw invalidTool(`There is no OpenAPI document at ${label}.`)
  if (found.size > MAX_BYTES) throw tooLarge(label)
  return readDocument(parseText(readFileSync(path, 'utf8'), label), label)
}

const tooLarge = (label: string) =>
  invalidTool(`The OpenAPI document ${label} is larger than the ${MAX_BYTES} bytes that are read.`)

async function fetchDocument(url: URL): Promise<OpenApiDocument> {
  const label = `at ${url.origin}${url.pathname}`
  const { createGuardedAgent } = await import('../../net/guard.ts')
  // The program's own code names this address, so it may be inside its network.
  const agent = createGuardedAgent({}, undefined, (origin) => origin === url.origin)
  const request = { method: 'GET', url, headers: { accept: 'application/json, application/yaml, */*;q=0.5' } }
  const limits = { signal: AbortSignal.timeout(LOAD_MS), maxBytes: () => MAX_BYTES }
  try {
    const { status, bytes, cut } = await exchange(agent, request, limits)
    if (status !== 200) throw invalidTool(`The OpenAPI document ${label} cannot be fetched: HTTP ${status}.`)
    if (cut) throw tooLarge(label)
    return readDocument(parseText(bytes.toString('utf8'), label), label, url.href)
  } catch (error) {
    if (error instanceof AgencyError) throw error
    const reason = limits.signal.aborted ? `no answer within ${LOAD_MS / 1000} seconds` : errorText(error)
    throw invalidTool(`The OpenAPI document ${label} cannot be fetched: ${reason}.`)
  } finally {
    await agent.destroy()
  }
}

/** Loads an optional package at once. */
function requirePackage<T>(name: string, what: string): T {
  try {
    return createRequire(import.meta.url)(name) as T
  } catch (error) {
    throw packageMissing(what, name, error)
  }
}

function parseText(given: string, label: string): unknown {
  const text = given.replace(/^\uFEFF/, '')
  if (/^\s*[{[]/.test(text)) {
    try {
      return JSON.parse(text)
    } catch (error) {
      // YAML may begin like that, too; what is meant as JSON is told as JSON sees it.
      if (!/^\s*\{\s*[\w'-]+\s*:/.test(text)) throw broken(label, `is not valid JSON: ${errorText(error)}`)
    }
  }
  const yaml = requirePackage<typeof import('yaml')>('yaml', `The OpenAPI document ${label} is YAML, which`)
  try {
    return yaml.parse(text, { maxAliasCount: MAX_ALIASES, merge: true, logLevel: 'error' })
  } catch (error) {
    throw broken(label, `is not valid YAML: ${errorText(error)}`)
  }
}

const broken = (label: string, reason: string) => invalidTool(`The OpenAPI document ${label} ${reason}.`)

function readDocument(value: unknown, label: string, url?: string): OpenApiDocument {
  if (!isObject(value)) throw broken(label, 'is not an object')
  const root = value.swagger === undefined ? value : upgrade(value, label)
  if (!/^3\.[0-2]\./.test(`${root.openapi}.`))
    throw broken(
      label,
      root.openapi === undefined
        ? 'has neither "openapi" nor "swagger", so it is not an OpenAPI document'
        : `has the version ${JSON.stringify(root.openapi)}; supported are OpenAPI 3.0, 3.1, 3.2 and Swagger 2.0`,
    )
  if (!isObject(root.paths)) throw broken(label, 'has no "paths", so there is nothing to call')
  return { root, label, url }
}

function upgrade(value: JsonObject, label: string): JsonObject {
  if (String(value.swagger) !== '2.0')
    throw broken(label, `has the Swagger version ${JSON.stringify(value.swagger)}; supported is 2.0`)
  const what = `The OpenAPI document ${label} is Swagger 2.0, which`
  const upgrader = requirePackage<typeof import('@scalar/openapi-upgrader')>('@scalar/openapi-upgrader', what)
  try {
    return upgrader.upgrade(structuredClone(value), '3.1') as unknown as JsonObject
  } catch (error) {
    throw broken(label, `cannot be read as Swagger 2.0: ${errorText(error)}`)
  }
}

/**
 * The value at a place of the document, with references followed.
 * @param place what the text of an error calls it
 * @throws INVALID_TOOL for a reference to another file, or to nothing
 */
export function follow({ root, label }: OpenApiDocument, value: unknown, place: string): unknown {
  const target = resolveRef(value, root)
  if (target !== undefined || value === undefined) return target
  const ref = String((value as JsonObject).$ref)
  throw broken(
    label,
    ref.startsWith('#')
      ? `refers to "${ref}" in ${place}, which is not there`
      : `refers to another file, "${ref}", in ${place}. Bundle it into one file first: npx @redocly/cli bundle openapi.yaml -o bundled.json`,
  )
}

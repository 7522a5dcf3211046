/** What the fields of `client_config` have to mean, beyond their types. */
import { isObject, type JsonObject } from './json.ts'
import { type ValidationDetail, valueError } from './validation.ts'

/** `client_config` with the types of its fields checked (wire/requests.ts). */
interface Config {
  base_url?: string | null | undefined
  api_key?: string | null | undefined
  default_headers?: { [name: string]: string } | null | undefined
  litellm_keys?: { [provider: string]: string } | null | undefined
  model?: string | null | undefined
  model_settings_extra_args?: JsonObject | null | undefined
}

/** A field of a request's `client_config` (docs/models.md). */
export type ClientConfigField = keyof Config
export const CLIENT_CONFIG_FIELDS = Object.keys({
  base_url: true,
  api_key: true,
  default_headers: true,
  litellm_keys: true,
  model: true,
  model_settings_extra_args: true,
} satisfies Record<ClientConfigField, true>) as readonly ClientConfigField[]

/** A key as a header can carry it. A blank one is none: whoever sends it does not ask for the server's. */
export const API_KEY = /^[\x21-\x7e]{1,8192}$/

/** Headers that belong to the connection or to the body, which are ours. */
const FORBIDDEN_HEADER =
  /^(host|connection|keep-alive|te|trailer|upgrade|expect|via|proxy-.*|transfer-encoding|accept-encoding|content-.*)$/i
const MAX_HEADER_CHARS = 8_192
const MAX_ADDRESS_CHARS = 2_048

/** What is wrong with a `client_config`, each named by its place in the body. */
export function checkClientConfig(config: Config | null | undefined): ValidationDetail[] {
  const { base_url, model, model_settings_extra_args: args } = config ?? {}
  const wrong = (loc: readonly string[], message: string, input: unknown) =>
    valueError(['body', 'client_config', ...loc], message, input)
  return [
    ...(base_url == null || isGatewayUrl(base_url)
      ? []
      : [wrong(['base_url'], 'base_url has to be an http or https address without credentials', base_url)]),
    ...keysOf(config)
      .filter(([, key]) => !API_KEY.test(key))
      .map(([loc, key]) => wrong(loc, key === '' ? BLANK_KEY : 'a key has to be printable ASCII', '[redacted]')),
    ...Object.entries(config?.default_headers ?? {})
      .filter(([name, value]) => !isHeader(name, value))
      .map(([name]) => wrong(['default_headers', name], 'this header cannot be set', '[redacted]')),
    ...(model == null || isModelName(model)
      ? []
      : [
          wrong(
            ['model'],
            'a model needs a name: "gpt-5.4", "<provider>/<model>", "litellm/<provider>/<model>"',
            model,
          ),
        ]),
    ...ownedFields(args).map((path) => wrong(['model_settings_extra_args', ...path], FIELD_OF_THE_RUN, '[redacted]')),
  ]
}

/** Fields that callers of this server may not set. */
export function checkAllowed(config: unknown, allowed: readonly ClientConfigField[]): ValidationDetail[] {
  if (!isObject(config)) return []
  const refused = CLIENT_CONFIG_FIELDS.filter((field) => config[field] != null && !allowed.includes(field))
  return refused.map((field) => {
    const message = `this server does not let callers set client_config.${field}`
    return valueError(['body', 'client_config', field], message, '[redacted]')
  })
}

const BLANK_KEY = 'a key cannot be blank; leave the field out to use none'
const FIELD_OF_THE_RUN = 'this field belongs to the run and cannot be set'

function keysOf(config: Config | null | undefined): [loc: string[], key: string][] {
  const { api_key, litellm_keys } = config ?? {}
  const own = Object.entries(litellm_keys ?? {}).map(([name, key]): [string[], string] => [['litellm_keys', name], key])
  return [...(typeof api_key === 'string' ? [[['api_key'], api_key] as [string[], string]] : []), ...own]
}

function isGatewayUrl(value: string): boolean {
  const url = URL.parse(value)
  return (
    value.length <= MAX_ADDRESS_CHARS &&
    !/[\s?#\\]/.test(value) && // the API's path is put behind it
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.hostname !== '' &&
    url.username === '' &&
    url.password === ''
  )
}

const isHeader = (name: string, value: string): boolean =>
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) &&
  !/[^\t\x20-\x7e\x80-\xff]/.test(value) &&
  !FORBIDDEN_HEADER.test(name) &&
  name.length + value.length <= MAX_HEADER_CHARS

/**
 * True for a name of which every part between slashes names something: not `""`, `"litellm/"` or `"openrouter//x"`, and not
 * `"gemini/../x"`, since some APIs take the name as a part of their path.
 */
export const isModelName = (name: string): boolean =>
  name === name.trim() && name.split('/').every((part) => part.trim() !== '' && part !== '.' && part !== '..')

/**
 * Fields of a model call that the run fills, or that would lead it to another model, address or key, in the words of every
 * API that is spoken here. Case and underscores do not tell them apart: Gemini takes both ways of writing.
 */
const OWNED = new Set([
  // what is asked, and of whom
  ...['model', 'models', 'fallbacks', 'messages', 'input', 'instructions', 'prompt', 'contents', 'system'],
  'systeminstruction',
  // what the model may do
  ...['tools', 'functions', 'functioncall', 'mcpservers', 'toolconfig'],
  // state that a provider keeps
  ...['previousresponseid', 'conversation', 'conversationid', 'cachedcontent', 'background'],
  // how the answer comes
  ...['stream', 'n', 'candidatecount'],
  // address and key
  ...['apikey', 'apibase', 'baseurl', 'headers', 'extraheaders', 'extraquery', 'defaultheaders', 'customllmprovider'],
])

/**
 * The places of fields in `extraBody` or `model_settings_extra_args` that belong to the run, also inside `extra_body`. An
 * `extra_body` inside that one would be unpacked by a gateway, so it is one of them.
 */
export function ownedFields(args: JsonObject | null | undefined): string[][] {
  const found = Object.keys(args ?? {}).filter(isOwned)
  const inner = isObject(args?.extra_body) ? Object.keys(args.extra_body).filter(isOwnedInside) : []
  return [...found.map((name) => [name]), ...inner.map((name) => ['extra_body', name])]
}

const bareName = (name: string): string => name.replaceAll(/[_-]/g, '').toLowerCase()
const isOwned = (name: string): boolean => OWNED.has(bareName(name))
const isOwnedInside = (name: string): boolean => isOwned(name) || bareName(name) === 'extrabody'

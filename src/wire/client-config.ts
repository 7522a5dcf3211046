/** `client_config`: its schema, and the rules for its values beyond their types. */
import { z } from 'zod'
import { isObject, type JsonObject } from './json.ts'
import { PROVIDER_NAMES } from './provider-names.ts'
import { requiredName, text } from './scalars.ts'
import { listed, type ValidationDetail, valueError } from './validation.ts'

/** A key that a header can carry. A blank key is refused: its sender does not want the server's own key. */
const API_KEY = /^[\x21-\x7e]{1,8192}$/

const providerNames = new Set(PROVIDER_NAMES)
const providerName = z
  .string()
  .refine((name) => providerNames.has(name), { error: listed(PROVIDER_NAMES) })
  .meta({ enum: PROVIDER_NAMES })
export const clientConfig = z
  .object({
    base_url: text.meta({
      description: "Address of an OpenAI-compatible API, instead of the server's own.",
      format: 'uri',
    }),
    api_key: text.meta({
      description: "Key for that API; the server's own key never goes to a base_url from a request.",
      pattern: API_KEY.source,
    }),
    default_headers: z.record(z.string(), z.string()).nullish().describe('Headers of every call to the model.'),
    litellm_keys: z
      .record(providerName, z.string())
      .nullish()
      .describe('Provider -> key, for model names with a provider: anthropic/..., litellm/anthropic/...'),
    model: requiredName.nullish().describe('Model of every agent without its own model object.'),
    model_settings_extra_args: z
      .record(z.string(), z.unknown())
      .nullish()
      .describe('Added to every call to the model.'),
  })
  .meta({ id: 'ClientConfig', description: 'How this one request reaches its model.' })
export type ClientConfig = z.infer<typeof clientConfig>

/** A field of a request's `client_config` (docs/models.md). */
export type ClientConfigField = keyof ClientConfig
export const CLIENT_CONFIG_FIELDS = Object.keys(clientConfig.shape) as readonly ClientConfigField[]

/** Headers that belong to the connection or to the body, which are ours. */
const FORBIDDEN_HEADER =
  /^(host|connection|keep-alive|te|trailer|upgrade|expect|via|proxy-.*|transfer-encoding|accept-encoding|content-.*)$/i
const MAX_HEADER_CHARS = 8_192
const MAX_ADDRESS_CHARS = 2_048

/** The faults of a `client_config`, each with its place in the body. */
export function checkClientConfig(config: ClientConfig | null | undefined): ValidationDetail[] {
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

function keysOf(config: ClientConfig | null | undefined): [loc: string[], key: string][] {
  const { api_key, litellm_keys } = config ?? {}
  const own = Object.entries(litellm_keys ?? {}).map(([name, key]): [string[], string] => [['litellm_keys', name], key])
  return [...(typeof api_key === 'string' ? [[['api_key'], api_key] as [string[], string]] : []), ...own]
}

function isGatewayUrl(value: string): boolean {
  const url = URL.parse(value)
  return (
    value.length <= MAX_ADDRESS_CHARS &&
    !/[\s?#\\]/.test(value) && // the API's path is appended
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
 * True when no part between slashes is empty or a path step: false for `""`, `"litellm/"`, `"openrouter//x"`, and for
 * `"gemini/../x"`, because some APIs put the name into their path.
 */
export const isModelName = (name: string): boolean =>
  name === name.trim() && name.split('/').every((part) => part.trim() !== '' && part !== '.' && part !== '..')

/**
 * Fields of a model call that the run sets, or that would select another model, address or key, in the names of every supported
 * API. Compared without case and underscores, because Gemini accepts both spellings.
 */
const OWNED = new Set([
  // the model and its input
  ...['model', 'models', 'fallbacks', 'messages', 'input', 'instructions', 'prompt', 'contents', 'system'],
  'systeminstruction',
  // tools
  ...['tools', 'functions', 'functioncall', 'mcpservers', 'toolconfig'],
  // state that a provider stores
  ...['previousresponseid', 'conversation', 'conversationid', 'cachedcontent', 'background'],
  // the form of the answer
  ...['stream', 'n', 'candidatecount'],
  // address and key
  ...['apikey', 'apibase', 'baseurl', 'headers', 'extraheaders', 'extraquery', 'defaultheaders', 'customllmprovider'],
])

/**
 * The paths of fields in `extraBody` or `model_settings_extra_args` that belong to the run, also inside `extra_body`. A nested
 * `extra_body` counts, because a gateway would unpack it.
 */
export function ownedFields(args: JsonObject | null | undefined): string[][] {
  const found = Object.keys(args ?? {}).filter(isOwned)
  const inner = isObject(args?.extra_body) ? Object.keys(args.extra_body).filter(isOwnedInside) : []
  return [...found.map((name) => [name]), ...inner.map((name) => ['extra_body', name])]
}

const bareName = (name: string): string => name.replaceAll(/[_-]/g, '').toLowerCase()
const isOwned = (name: string): boolean => OWNED.has(bareName(name))
const isOwnedInside = (name: string): boolean => isOwned(name) || bareName(name) === 'extrabody'

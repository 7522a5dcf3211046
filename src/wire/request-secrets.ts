/** Secrets of a request: which values they are, and how a 422 masks them. */
import type { ClientConfig } from './client-config.ts'
import { isObject } from './json.ts'
import { shorten, type ValidationDetail } from './validation.ts'

/** A shorter value of a header whose name does not suggest a secret is a word, and is not masked. */
const MIN_HEADER_CHARS = 8

/** The values of a request that no answer and no log may show: keys and headers. */
export function secretsOf(config: ClientConfig | null | undefined): string[] {
  const { api_key, litellm_keys, default_headers } = config ?? {}
  const headers = Object.entries(default_headers ?? {}).flatMap(([name, value]) =>
    value.length >= MIN_HEADER_CHARS || /auth|key|token|secret|cookie/i.test(name) ? [value] : [],
  )
  const bare = headers.map((value) => value.replace(/^(bearer|basic) +/i, ''))
  return [...(api_key ? [api_key] : []), ...Object.values(litellm_keys ?? {}), ...headers, ...bare]
}

/** Secrets of a request are not echoed in its 422 (docs/wire.md, "Errors"). */
export function redactSecrets(original: ValidationDetail): ValidationDetail {
  const detail = shorten(original)
  const [, field, inner] = detail.loc
  if (detail.loc.at(-1) === '[key]') return detail // a name, which the location repeats
  if (ADDRESSES.has(`${field}.${inner}`)) return { ...detail, input: maskAddress(detail.input) }
  const secret =
    field === 'user_context' ||
    (field === 'client_config' && inner !== 'model') ||
    (field === 'webhook' && inner === 'secret')
  return { ...detail, input: secret ? MASK : withoutSecrets(detail.input) }
}

/** Fields with an address, which may contain a password or a key. */
const ADDRESSES = new Set(['client_config.base_url', 'webhook.url'])
const MASK = '[redacted]'
const SECRET_NAMES = /^user_?context$|(keys?|token|secret|password|authorization|headers?|cookies?)$/i
const CONFIG_NAMES = /^client_?config$/i

/** A copy, at any depth, in which the values of fields with secret names are masked. */
export function withoutSecrets(input: unknown): unknown {
  if (Array.isArray(input)) return input.map(withoutSecrets)
  if (!isObject(input)) return input
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => {
      if (value == null) return [name, value]
      if (SECRET_NAMES.test(name)) return [name, MASK]
      return [name, CONFIG_NAMES.test(name) ? maskConfig(value) : withoutSecrets(value)]
    }),
  )
}

/** A copy of a `client_config` that shows the model and an address without query or credentials, and masks the rest. */
function maskConfig(config: unknown): unknown {
  if (!isObject(config)) return MASK
  const shown = (name: string, value: unknown) =>
    name === 'model' ? value : name === 'base_url' ? maskAddress(value) : MASK
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, value == null ? value : shown(name, value)]),
  )
}

const maskAddress = (value: unknown): unknown => (typeof value === 'string' && /[@?#\\\s]/.test(value) ? MASK : value)

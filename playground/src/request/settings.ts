/** Request settings: validates them and converts them to request fields. */
import type { RequestBody } from 'agency-swarm-js/client'

/** The content of the editors: fields that every request sends with its message. */
export interface Settings {
  additionalInstructions: string
  /** JSON texts; blank when not set. */
  userContext: string
  clientConfig: string
  nameConversations: boolean
}

export const noSettings: Settings = {
  additionalInstructions: '',
  userContext: '',
  clientConfig: '',
  nameConversations: false,
}

type ClientConfig = NonNullable<RequestBody['client_config']>

const CLIENT_CONFIG: { [name: string]: 'text' | 'texts' | 'object' } = {
  base_url: 'text',
  api_key: 'text',
  default_headers: 'texts',
  litellm_keys: 'texts',
  model: 'text',
  model_settings_extra_args: 'object',
} satisfies { [name in keyof ClientConfig]: 'text' | 'texts' | 'object' }
const WANTED = { text: 'a string', texts: 'an object whose values are strings', object: 'an object' }

/** Parses the object in an editor, or says what is wrong with it. A blank editor has no object. */
export type Parsed = { ok: true; value: { [key: string]: unknown } | undefined } | { ok: false; problem: string }

export function parseObject(text: string): Parsed {
  if (text.trim() === '') return { ok: true, value: undefined }
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return { ok: true, value }
    return { ok: false, problem: 'Enter a JSON object, for example {"name": "value"}.' }
  } catch (error) {
    return { ok: false, problem: `This is not valid JSON: ${(error as Error).message}.` }
  }
}

export function parseClientConfig(text: string): Parsed {
  const parsed = parseObject(text)
  if (!parsed.ok) return parsed
  for (const [name, value] of Object.entries(parsed.value ?? {})) {
    const wanted = Object.hasOwn(CLIENT_CONFIG, name) ? CLIENT_CONFIG[name] : undefined
    if (wanted === undefined)
      return { ok: false, problem: `Unknown field "${name}". Known fields: ${Object.keys(CLIENT_CONFIG).join(', ')}.` }
    if (value !== null && !FITS[wanted](value)) return { ok: false, problem: `"${name}" must be ${WANTED[wanted]}.` }
    if (name === 'base_url' && !/^https?:\/\/[^/]/.test(String(value)))
      return { ok: false, problem: '"base_url" must begin with http:// or https://.' }
  }
  return parsed
}

/** The request fields of the settings; invalid ones are left out. */
export function settingsBody(settings: Settings): Partial<RequestBody> {
  const context = parseObject(settings.userContext)
  const config = parseClientConfig(settings.clientConfig)
  const { additionalInstructions: additional, nameConversations } = settings
  return {
    ...(additional.trim() === '' ? {} : { additional_instructions: additional }),
    ...(context.ok && context.value ? { user_context: context.value } : {}),
    ...(config.ok && config.value ? { client_config: config.value as ClientConfig } : {}),
    ...(nameConversations ? { generate_chat_name: true } : {}),
  }
}

/** True when the content of every editor is valid. */
export const areValid = (settings: Settings) =>
  parseObject(settings.userContext).ok && parseClientConfig(settings.clientConfig).ok

const isObject = (value: unknown): value is { [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const FITS = {
  text: (value: unknown) => typeof value === 'string',
  texts: (value: unknown) => isObject(value) && Object.values(value).every((one) => typeof one === 'string'),
  object: isObject,
}

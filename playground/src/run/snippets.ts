/** Code for the request that was sent. */
import type { RequestBody } from 'agency-swarm-js/client'

export interface Snippet {
  /** The server's address with its prefix, without a trailing slash. */
  baseUrl: string
  agency: string
  request: RequestBody
  /** True when the server requires a token. */
  token: boolean
}

/** Longest body that a command contains as an argument; Linux accepts at most 128 KiB. */
const MAX_ARGUMENT_BYTES = 100_000

/** The request as a curl command. Secrets are left out: the token is a variable, keys are placeholders. */
export function asCurl({ baseUrl, agency, request, token }: Snippet): string {
  const body = JSON.stringify(maskKeys(request))
  const long = new TextEncoder().encode(quote(body)).length > MAX_ARGUMENT_BYTES
  return [
    `curl -N ${quote(`${baseUrl}/${encodeURIComponent(agency)}/get_response_stream`)}`,
    ...(token ? ['-H "Authorization: Bearer $APP_TOKEN"'] : []),
    "-H 'Content-Type: application/json'",
    long ? `--data-binary @- <<'JSON'\n${body}\nJSON\n` : `-d ${quote(body)}`,
  ].join(' \\\n  ')
}

/** The request as a program that uses this package's client. */
export function asClientCode({ baseUrl, agency, request, token }: Snippet): string {
  const options = `{ baseUrl: ${JSON.stringify(baseUrl)}${token ? ', token: process.env.APP_TOKEN' : ''} }`
  return `import { createClient } from 'agency-swarm-js/client'

const client = createClient(${options})
const stream = client.agency(${JSON.stringify(agency)}).stream(${JSON.stringify(maskKeys(request), null, 2)})

for await (const text of stream.text()) process.stdout.write(text)
const { new_messages, usage } = await stream.result
console.log('\\n', new_messages.length, 'messages for the history', usage)
`
}

function maskKeys(request: RequestBody): RequestBody {
  const { client_config: config } = request
  if (!config) return request
  const named = (values: { [key: string]: string } | null | undefined) =>
    values ? Object.fromEntries(Object.keys(values).map((name) => [name, `<${name}>`])) : values
  return {
    ...request,
    client_config: {
      ...config,
      ...(config.api_key ? { api_key: '<api_key>' } : {}),
      ...(config.default_headers ? { default_headers: named(config.default_headers) } : {}),
      ...(config.litellm_keys ? { litellm_keys: named(config.litellm_keys) } : {}),
    },
  }
}

/** Quotes a text for a POSIX shell. */
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

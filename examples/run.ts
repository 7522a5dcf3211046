import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { AgencyError } from 'agency-swarm-js'

/** True for `node main.ts --check`: the example drives itself, on a free port and the demo model, and ends. */
export const checking = process.argv.includes('--check')
if (checking) {
  process.env.AGENCY_MODEL = 'demo'
  delete process.env.APP_TOKEN
} else loadEnv()

/** Reads `.env` of the working folder, also with the byte order mark of some editors; what is set already wins. */
function loadEnv(): void {
  if (!existsSync('.env')) return
  const values = parseEnv(readFileSync('.env', 'utf8').replace(/^\ufeff/, ''))
  for (const [name, value] of Object.entries(values)) process.env[name] ??= value
}

interface Development {
  host: string
  port: number
  banner?: boolean
  playground?: boolean
  exposeErrors?: boolean
}

const host = process.env.HOST || '127.0.0.1'

/** Options of `serve()` for development. While only this machine can connect, callers see the provider's own error texts. */
export const development: Development = checking
  ? { host: '127.0.0.1', port: 0, banner: false }
  : {
      host,
      port: Number(process.env.PORT || 8000),
      playground: true,
      exposeErrors: /^(localhost|127\.[\d.]+|::1)$/.test(host),
    }

interface Server {
  readonly url: string
  close(): Promise<void>
}

/**
 * Waits until the server listens. With `--check` it then runs the steps against the server and stops it.
 * An error of the library ends the process with its sentence; what a step throws ends it with the stack.
 */
export async function start(starting: Promise<Server>, steps: (url: string) => Promise<void>): Promise<void> {
  const server = await starting.catch((error: unknown) => {
    if (!(error instanceof AgencyError)) throw error
    console.error(`error: ${error.message}`)
    process.exit(1)
  })
  if (!checking) return
  await steps(server.url).finally(() => server.close())
  console.log('ok: the example does what it says')
}

// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that a check looks into
type Json = any

/** The JSON answer to a GET. */
export const get = async (url: string): Promise<Json> => (await fetch(url)).json()

/** The JSON answer to a POST. */
export async function post(url: string, body: unknown, headers: { [name: string]: string } = {}): Promise<Json> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return response.json()
}

/** The frames of a stream, all of them. */
export async function stream(url: string, body: unknown): Promise<{ event: string | undefined; data: Json }[]> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  const frames = (await response.text()).split('\n\n').filter((frame) => frame.includes('data: '))
  return frames.map((frame) => {
    const [, data = ''] = /^data: (.*)$/m.exec(frame) ?? []
    return { event: /^event: (.*)$/m.exec(frame)?.[1], data: data === '[DONE]' ? data : JSON.parse(data) }
  })
}

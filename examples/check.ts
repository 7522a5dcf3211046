import type { RunningServer } from '../src/index.ts'

/** True for `node main.ts --check`: the example then drives itself, on a free port and the demo model, and ends. */
export const checking = process.argv.includes('--check')
if (checking) {
  process.env.AGENCY_MODEL = 'demo'
  delete process.env.APP_TOKEN
}

/** Where an example listens. */
export const address = checking
  ? { host: '127.0.0.1', port: 0, banner: false }
  : { host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 8000) }

/** Runs the steps against the server and stops it; what a step throws ends the process with an error. */
export async function check(server: Pick<RunningServer, 'url' | 'close'>, steps: (url: string) => Promise<void>) {
  await steps(server.url).finally(() => server.close())
  console.log('ok: the example does what it says')
}

// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that a check looks into
type Json = any

/** The JSON answer to a GET. */
export const get = async (url: string): Promise<Json> => (await fetch(url)).json()

/** The JSON answer to a POST. */
export async function post(url: string, body: unknown): Promise<Json> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
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

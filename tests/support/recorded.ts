import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { onTestFinished } from 'vitest'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON that tests look into
type Json = any

interface Recorded {
  do?: string
  request: { method: string; path: string; headers: Record<string, string>; body?: Json }
  response: { status: number; headers: Record<string, string>; body?: Json; events?: RecordedFrame[] }
  cancel?: { request: { path: string; body: Json }; response: { status: number; body: Json } }
}
interface RecordedFrame {
  event?: string
  data?: Json
  folded?: string
}

const CASES = join(import.meta.dirname, '../conformance/cases')

export const readCase = (name: string): Recorded[] =>
  JSON.parse(readFileSync(join(CASES, `${name}.json`), 'utf8')).steps

/** JSON as the original writes it: blanks after separators, ASCII only. */
export function pythonJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, item]) => `${pythonJson(key)}: ${pythonJson(item)}`)
      .join(', ')}}`
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

export const frameText = ({ event, data }: RecordedFrame): string =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${data === '[DONE]' ? data : pythonJson(data)}\n\n`

/** The bytes of a recorded stream. */
export const streamText = ({ response }: Recorded): string => (response.events ?? []).map(frameText).join('')

/**
 * Answers as the Python original did when the case was recorded, step by step. A request that is not the recorded one is
 * answered with 599 and what differs.
 */
export async function startRecorded(name: string) {
  const steps = readCase(name)
  let at = 0
  let cancelled = () => {}
  let cancelling: NonNullable<Recorded['cancel']> | undefined
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    const body = text === '' ? undefined : JSON.parse(text)
    const send = (status: number, answer: Json) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(pythonJson(answer))
    }
    if (cancelling !== undefined && request.url === cancelling.request.path) {
      const { request: asked, response: answer } = cancelling
      if (!isDeepStrictEqual(body, asked.body)) return send(599, { error: `not the recorded cancel: ${text}` })
      cancelled()
      return send(answer.status, answer.body)
    }
    const step = steps[at++]
    if (step === undefined) return send(599, { error: 'the case has no more steps' })
    const { method, path, headers: asked, body: wanted } = step.request
    const strange = Object.entries(asked).filter(([key, value]) => request.headers[key.toLowerCase()] !== value)
    const same = request.method === method && request.url === path && strange.length === 0
    if (!same || !isDeepStrictEqual(body, fill(wanted, steps)))
      return send(599, { error: `not the recorded request: ${request.method} ${request.url} ${text}` })
    const { status, headers, events, body: answer } = step.response
    if (events === undefined) return send(status, answer)
    response.writeHead(status, headers)
    cancelling = step.cancel
    for (const frame of events) {
      if (frame.folded === undefined) response.write(frameText(frame))
      else {
        for (const delta of ['Once ', 'upon ', 'a time'])
          response.write(
            frameText({
              data: {
                data: {
                  data: { delta, type: frame.folded },
                  type: 'raw_response_event',
                  agent: 'Assistant',
                  callerAgent: 'None',
                  agent_run_id: '<agent_run:1>',
                },
              },
            }),
          )
        await new Promise<void>((resolve) => {
          cancelled = resolve
        })
      }
    }
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, steps }
}

/** `{{stepN.key}}`: that key of step N's answer. */
function fill(value: Json, steps: readonly Recorded[]): Json {
  if (Array.isArray(value)) return value.map((item) => fill(item, steps))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, steps)]))
  const [, step, key] = (typeof value === 'string' && /^\{\{step(\d+)\.(\w+)\}\}$/.exec(value)) || []
  if (key === undefined) return value
  const { body, events } = (steps[Number(step)] as Recorded).response
  const said = body ?? events?.find((frame) => frame.event === 'messages')?.data
  return said[key]
}

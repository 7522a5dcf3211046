import { createParser } from 'eventsource-parser'
import { expect, onTestFinished } from 'vitest'
import { createServices } from '../../src/composition/services.ts'
import { type ServeOptions, serve } from '../../src/index.ts'
import { createApp } from '../../src/server/app.ts'
import { startUpstream } from './upstream.ts'

// biome-ignore lint/suspicious/noExplicitAny: frames are foreign JSON that tests look into
export type Frame = { event: string | undefined; data: any }

/** Serves on a free port until the test is over. */
export async function startServer(options: ServeOptions) {
  const server = await serve({ host: '127.0.0.1', port: 0, banner: false, handleSignals: false, ...options })
  onTestFinished(() => server.close())
  return server
}

/** As `startServer`, with the hub that knows the running runs. */
export async function startWithHub(options: ServeOptions) {
  const { shell, drain, close } = await createServices(options)
  const app = await createApp(shell, { addsRoutes: true })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(async () => {
    await app.close()
    await close()
  })
  return { url, app, drain, hub: shell.services.runner }
}

/** A scripted model whose address and key stand in the environment until the test is over. */
export async function useUpstream(script: Parameters<typeof startUpstream>[0]) {
  const upstream = await startUpstream(script)
  const before = { url: process.env.OPENAI_BASE_URL, key: process.env.OPENAI_API_KEY }
  process.env.OPENAI_BASE_URL = upstream.baseURL
  process.env.OPENAI_API_KEY = 'sk-server-key'
  onTestFinished(async () => {
    process.env.OPENAI_BASE_URL = before.url ?? ''
    process.env.OPENAI_API_KEY = before.key ?? ''
    await upstream.close()
  })
  return upstream
}

export const post = (url: string, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  })

/** The same, with its answer read. */
export async function postAndRead(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
) {
  const answer = await post(url, body, headers, signal)
  // biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
  return { status: answer.status, body: (await answer.json()) as any }
}

/** Until the test is over no promise may be rejected that nobody handles. */
export function refuseRejections(): void {
  const rejections: unknown[] = []
  const note = (reason: unknown) => rejections.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => {
    process.off('unhandledRejection', note)
    expect(rejections).toEqual([])
  })
}

/** The frames of a stream as they come. */
export async function* readFrames(url: string, body: unknown, signal?: AbortSignal): AsyncGenerator<Frame> {
  const response = await post(url, body, {}, signal)
  const waiting: Frame[] = []
  const parser = createParser({
    onEvent: ({ event, data }) => waiting.push({ event, data: data === '[DONE]' ? data : JSON.parse(data) }),
  })
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    yield* waiting.splice(0)
  }
}

export async function allFrames(url: string, body: unknown): Promise<Frame[]> {
  const frames: Frame[] = []
  for await (const frame of readFrames(url, body)) frames.push(frame)
  return frames
}

/** What the `messages` frame says. */
export const final = (frames: readonly Frame[]) => frames.find((frame) => frame.event === 'messages')?.data

/** A chat transport of the AI SDK for `useChat`: as its own, and stopping a chat stops the run. */
/** @ts-ignore an optional package: its types are any where it is not installed */
import type { ChatTransport, UIDataTypes, UIMessage, UIMessageChunk, UITools } from 'ai'
import { createParser } from 'eventsource-parser'
import type { AgencyAgentData, AgencyMessageMetadata, AgencyToolData } from '../wire/ai-sdk-parts.ts'
import { type ClientOptions, connect } from './http.ts'

/**
 * A message of a chat with an agency, for `useChat<AgencyUIMessage>`. `Tools` types the inputs and outputs of tools, and `Data`
 * the data parts of your own.
 */
export type AgencyUIMessage<
  Tools extends UITools = UITools,
  Data extends UIDataTypes = Record<never, never>,
> = UIMessage<AgencyMessageMetadata, { agent: AgencyAgentData; tool: AgencyToolData } & Data, Tools>

/** Options of `createChatTransport`. */
export interface ChatTransportOptions extends ClientOptions {
  /** The agency's name in `serve({ agencies })`. */
  agency: string
  /**
   * Fields of every request: `recipient_agent`, `additional_instructions`, `user_context`, `client_config`, `file_urls`, ... and
   * `on_disconnect`. @default {}
   */
  body?: { [name: string]: unknown }
}

/**
 * Creates a transport for `useChat({ transport })`. `stop()` cancels the run at once, where the AI SDK's own transport closes
 * the connection and leaves the run to the server's grace time. Requests reject with a ClientError.
 *
 * @example
 * ```ts
 * import { createChatTransport } from 'agency-swarm-js/client'
 *
 * const transport = createChatTransport({ baseUrl: 'http://localhost:8000', agency: 'support' })
 * console.log(transport.resumeStreamIsReplay)
 * ```
 */
export function createChatTransport<Message extends UIMessage = AgencyUIMessage>({
  agency,
  body = {},
  ...options
}: ChatTransportOptions): ChatTransport<Message> {
  const connection = connect(options)
  const base = `/${encodeURIComponent(agency.trim().replaceAll(' ', '_'))}`
  const cancel = (runId: string) =>
    connection.json({ path: `${base}/runs/${runId}/cancel`, body: { mode: 'immediate', wait_ms: 0 } }).catch(() => {}) // it may have ended

  /** Opens a stream; a stop does not wait for the answer, which is then read as far as the run's id. */
  const open = ({ headers, ...call }: Call, stopped: AbortSignal | undefined) => {
    stopped?.throwIfAborted()
    const sent = headers === undefined ? {} : { headers: Object.fromEntries(new Headers(headers)) }
    const opened = connection
      .open({ ...call, ...sent })
      .then((response) => (response.status === 204 ? null : readChunks(response, { stopped, cancel })))
    if (stopped === undefined) return opened
    return new Promise<Awaited<typeof opened>>((resolve, reject) => {
      stopped.addEventListener('abort', () => reject(stopped.reason), { once: true })
      opened.then(resolve, reject)
    })
  }

  return {
    resumeStreamIsReplay: true,
    async sendMessages({ chatId, messages, trigger, messageId, abortSignal, headers, body: more }) {
      const sent = { ...body, ...more, id: chatId, messages, trigger, messageId }
      const stream = await open({ path: `${base}/chat`, body: sent, headers }, abortSignal)
      return stream as ReadableStream<UIMessageChunk>
    },
    reconnectToStream: async ({ chatId, abortSignal, headers }) =>
      open({ path: `${base}/chat/${encodeURIComponent(chatId)}/stream`, headers }, abortSignal),
  }
}

interface Call {
  path: string
  body?: unknown
  headers: Record<string, string> | Headers | undefined
}

interface Stop {
  stopped: AbortSignal | undefined
  cancel(runId: string): Promise<unknown>
}

/** The chunks of a stream. A stop that comes before the run's id waits for it. */
function readChunks(response: Response, { stopped, cancel }: Stop): ReadableStream<UIMessageChunk> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const decoder = new TextDecoder()
  const waiting: UIMessageChunk[] = []
  let runId: string | undefined
  let over = false
  const parser = createParser({
    onEvent({ data }) {
      if (data === '[DONE]') {
        over = true
        return
      }
      const chunk = JSON.parse(data) as UIMessageChunk
      if (chunk.type === 'start') runId = (chunk.messageMetadata as AgencyMessageMetadata | undefined)?.run_id
      waiting.push(chunk)
    },
  })
  let reading: Promise<void> | undefined
  const fill = () => {
    reading ??= reader.read().then(({ done, value }) => {
      reading = undefined
      if (done) over = true
      else parser.feed(decoder.decode(value, { stream: true }))
    })
    return reading
  }
  const stop = async () => {
    while (runId === undefined && !over) await fill()
    if (runId !== undefined && !over) await cancel(runId)
    await reader.cancel()
  }
  return new ReadableStream<UIMessageChunk>({
    start(controller) {
      const onStop = () => {
        if (over) return
        controller.error(stopped?.reason)
        stop().catch(() => {}) // the connection broke: the server's grace time ends the run
      }
      if (stopped?.aborted) onStop()
      else stopped?.addEventListener('abort', onStop, { once: true })
    },
    async pull(controller) {
      while (waiting.length === 0 && !over) await fill()
      if (stopped?.aborted) return
      for (const chunk of waiting.splice(0)) controller.enqueue(chunk)
      if (over) controller.close()
    },
    cancel: () => reader.cancel(),
  })
}

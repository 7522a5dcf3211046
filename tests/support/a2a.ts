/** A server that answers A2A agents, and the official client of it. */
import type { Message, Task } from '@a2a-js/sdk'
import { Role, TaskState } from '@a2a-js/sdk'
import {
  type Client,
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
} from '@a2a-js/sdk/client'
import { type Agency, memory, type ServeOptions } from '../../src/index.ts'
import { startServer } from './client.ts'

export async function serveA2a(agency: Agency, options: Partial<ServeOptions> = {}) {
  const store = memory()
  const server = await startServer({
    agencies: { support: agency },
    a2a: true,
    runs: { store },
    exposeErrors: true,
    ...options,
  })
  const base = `${server.url}/support`
  return { ...server, store, base, rpc: `${base}/a2a` }
}

type Headers = { [name: string]: string }

/** The client of the official package. */
export function openClient(base: string, headers: Headers = {}): Promise<Client> {
  const fetchImpl: typeof fetch = (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...headers } })
  return new ClientFactory({
    transports: [new JsonRpcTransportFactory({ fetchImpl })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  }).createFromUrl(`${base}/`)
}

/** The same, for servers that speak 0.3 alone: the card is read as one of them. */
export async function openLegacyClient(base: string): Promise<Client> {
  const card = (await (await fetch(`${base}/.well-known/agent-card.json`)).json()) as { supportedInterfaces?: unknown }
  delete card.supportedInterfaces
  const legacyCompat = { enabled: true }
  const options = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ legacyCompat })],
    cardResolver: new DefaultAgentCardResolver({ legacyCompat }),
  })
  return new ClientFactory(options).createFromAgentCard(card as never)
}

let count = 0
export const say = (text: string, more: Partial<Message> = {}) => ({
  tenant: '',
  configuration: undefined,
  metadata: undefined,
  message: {
    messageId: `m${++count}`,
    role: Role.ROLE_USER,
    parts: [{ content: { $case: 'text' as const, value: text }, metadata: undefined, filename: '', mediaType: '' }],
    contextId: '',
    taskId: '',
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
    ...more,
  },
})

/** What a client knows of a task after the events that it has read. */
export interface Known {
  task: Task | undefined
  states: string[]
  texts: Map<string, string>
  data: unknown[]
}

/** Reads a stream as a client would, up to an event where it leaves. */
export async function read(
  events: AsyncIterable<Awaited<ReturnType<typeof first>>>,
  leave: (known: Known) => boolean = () => false,
): Promise<Known> {
  const known: Known = { task: undefined, states: [], texts: new Map(), data: [] }
  const add = (artifactId: string, parts: readonly Message['parts'][number][], append: boolean) => {
    const text = parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('')
    known.texts.set(artifactId, (append ? (known.texts.get(artifactId) ?? '') : '') + text)
    for (const { content } of parts) if (content?.$case === 'data') known.data.push(content.value)
  }
  for await (const { payload } of events) {
    switch (payload?.$case) {
      case 'task':
        known.task = payload.value
        known.states.push(TaskState[payload.value.status?.state ?? 0] as string)
        for (const { artifactId, parts } of payload.value.artifacts) add(artifactId, parts, false)
        break
      case 'statusUpdate':
        known.states.push(TaskState[payload.value.status?.state ?? 0] as string)
        if (known.task !== undefined) known.task = { ...known.task, ...payload.value }
        break
      case 'artifactUpdate': {
        const { artifact, append } = payload.value
        if (artifact !== undefined) add(artifact.artifactId, artifact.parts, append)
      }
    }
    if (leave(known)) break
  }
  return known
}
declare function first(): ReturnType<Client['sendMessageStream']> extends AsyncGenerator<infer Event>
  ? Promise<Event>
  : never

export const answerIn = ({ texts }: Known) => [...texts.values()].filter((text) => text !== '').join('\n\n')

export const textOf = (task: Task) =>
  task.artifacts
    .map(({ parts }) => parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join(''))
    .join('\n\n')

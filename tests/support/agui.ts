import { HttpAgent } from '@ag-ui/client'
import { EventSchemas } from '@ag-ui/core/schemas'
import { HttpAgent as OldHttpAgent } from 'ag-ui-client-0'
import { expect, onTestFinished, vi } from 'vitest'
import { post } from './client.ts'

// biome-ignore lint/suspicious/noExplicitAny: events are foreign JSON that tests look into
export type Event = any

/** Both generations of the real client. */
export const CLIENTS = [
  ['1.0.0', HttpAgent],
  ['0.0.59', OldHttpAgent as unknown as typeof HttpAgent],
] as const
type Client = (typeof CLIENTS)[number][1]

/** Every event in its order; fails for one that is none of AG-UI 1.0, and for anything behind a final one. */
export function judge(events: readonly Event[]): void {
  for (const event of events) {
    const checked = EventSchemas.safeParse(event)
    expect(checked.success, `${JSON.stringify(event)} ${checked.error}`).toBe(true)
    expect(Object.values(event)).not.toContain(null)
  }
  expect(events[0]?.type).toBe('RUN_STARTED')
  const final = events.findIndex(({ type }) => type === 'RUN_FINISHED' || type === 'RUN_ERROR')
  expect(final).toBe(events.length - 1)
}

export const toEvents = (text: string): Event[] =>
  text
    .split('\n\n')
    .filter((block) => block.startsWith('data: '))
    .map((block) => JSON.parse(block.slice(6)))

export const inputOf = (messages: unknown, more: object = {}) => ({
  threadId: 'thread-1',
  runId: 'run-1',
  protocolVersion: '1.0',
  state: {},
  messages,
  tools: [],
  context: [],
  forwardedProps: {},
  ...more,
})
export const user = (content: unknown, id = 'u1') => ({ id, role: 'user', content })

/** The events of one raw request, judged. */
export async function ask(url: string, body: object): Promise<Event[]> {
  const response = await post(url, body)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const events = toEvents(await response.text())
  judge(events)
  return events
}

/** What a client before protocol 1.0 asks for when it knows these events. */
export const ALL_EVENTS = { subagent_events: true, reasoning_events: true, tool_result_events: true }

/** A real client on the endpoint; it asks for all events. `run` says the user's words and gives the events of that run; the client must not complain. */
export function connect(Client: Client, url: string) {
  const complaints: unknown[][] = []
  for (const method of ['warn', 'error'] as const)
    vi.spyOn(console, method).mockImplementation((...words) => void complaints.push(words))
  onTestFinished(() => void vi.restoreAllMocks())
  const agent = new Client({ url, threadId: 'thread-1' })
  let count = 0
  const run = async (content: string, parameters: { forwardedProps?: object } = {}): Promise<Event[]> => {
    const events: Event[] = []
    agent.addMessage({ id: `u${++count}`, role: 'user', content })
    const forwardedProps = { ...ALL_EVENTS, ...parameters.forwardedProps }
    await agent.runAgent(
      { ...parameters, forwardedProps },
      { onEvent: ({ event }) => void events.push(structuredClone(event)) },
    )
    const isOurs = (line: string) => /^\d{4}-\d\d-\d\dT/.test(line) // the server's log stands on the same console
    const lines = complaints.map(([first]) => String(first)).filter((line) => !isOurs(line))
    expect(lines.filter((line) => /\[ag-ui\]|^Agent|[A-Z]+_[A-Z]+/.test(line))).toEqual([])
    judge(events)
    return events
  }
  return { agent, run }
}

export const types = (events: readonly Event[]) => events.map(({ type }) => type)
export const only = (events: readonly Event[], type: string) => events.filter((event) => event.type === type)
export const saidBy = (events: readonly Event[], subagentRunId: string | undefined) =>
  only(events, 'TEXT_MESSAGE_CONTENT')
    .filter((event) => event.subagentRunId === subagentRunId)
    .map(({ delta }) => delta)
    .join('')

import assert from 'node:assert/strict'
import { stream } from '../run.ts'

const QUESTION = 'Ask the Scout and the Analyst, who asks the Librarian, about heat pumps'

export async function steps(url: string): Promise<void> {
  const frames = await stream(`${url}/research/get_response_stream`, { message: QUESTION })
  const events = frames.map((frame) => frame.data?.data ?? {})

  const calls = events.filter((event) => event.item?.type === 'tool_call_item')
  const asked = calls.map((event) => `${event.agent}: ${event.item.raw_item.name}`).sort()
  assert.deepEqual(asked, [
    'Analyst: send_message',
    'Lead: send_message',
    'Lead: send_message',
    'Librarian: find_papers',
    'Scout: search_news',
  ])

  const starts = events.filter((event) => event.type === 'agent_updated_stream_event')
  const callerOf = Object.fromEntries(starts.map((event) => [event.agent, event.callerAgent]))
  assert.deepEqual(callerOf, { Lead: null, Scout: 'Lead', Analyst: 'Lead', Librarian: 'Analyst' })

  const first = (agent: string) => events.findIndex((event) => event.agent === agent)
  const last = (agent: string) => events.findLastIndex((event) => event.agent === agent)
  assert.ok(first('Scout') < last('Analyst') && first('Analyst') < last('Scout'), 'the two work at the same time')

  const { new_messages, usage } = frames.find((frame) => frame.event === 'messages')?.data ?? {}
  assert.match(new_messages.at(-1).content[0].text, /3 reports on heat pumps.*2 papers on heat pumps/s)
  assert.equal(usage.request_count, 8, 'agents of every depth are counted')
  const librarian = new_messages.find((message: { agent: string }) => message.agent === 'Librarian')
  assert.equal(librarian.callerAgent, 'Analyst')
}

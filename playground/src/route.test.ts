import { expect, test } from 'vitest'
import { type Route, readRoute, writeRoute } from './route.ts'

const ROUTES: Route[] = [
  { view: 'chat' },
  { view: 'chat', agency: 'a b', thread: 't~1' },
  { view: 'runs' },
  { view: 'approvals' },
  { view: 'evals' },
  { view: 'agents' },
  { view: 'agents', agent: 'R & D/2' },
  { view: 'agents', agency: 'desk', agent: 'Guide' },
  { view: 'tools' },
  { view: 'tools', tool: 'FormatAddress' },
  { view: 'tools', agency: 'desk' },
  { view: 'tools', agency: 'desk', agent: 'Guide', tool: 'add#1' },
]

test.each(ROUTES)('an address is read as it was written: %o', (route) => {
  expect(readRoute(writeRoute(route))).toEqual(route)
})

test.each(['', '#', '#/', '#/nowhere/x', '#message', '#/chat/%E0%A4%A'])('the address "%s" shows the chat', (hash) => {
  expect(readRoute(hash).view).toBe('chat')
})

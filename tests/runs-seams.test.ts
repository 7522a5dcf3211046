import { once } from 'node:events'
import http from 'node:http'
import { expect, test } from 'vitest'
import { RunFold, type RunFrame } from './support/run-reader.ts'
import { ask, startTeam } from './support/stored-team.ts'

const WORDS = 90

/** Three agents that say about a hundred frames each. */
const startTalk = (delayMs = 0) =>
  startTeam(({ agent, outputs }) => {
    if (agent === 'CEO' && outputs === 0) return { calls: [ask('Research'), ask('Billing')] }
    const deltas = Array.from({ length: WORDS }, (_, index) => `${agent}-${index} `)
    return { text: deltas.join(''), deltas, delayMs }
  })

/** The frames of a connection, as they are. */
async function readAll(url: string, after: number): Promise<string> {
  return (await fetch(`${url}/events`, { headers: { 'last-event-id': String(after) } })).text()
}
const RETRY = 'retry: 1000\n\n'

test('every cut of a stream goes on with the next frame', { timeout: 60_000 }, async () => {
  const { post } = await startTalk()
  const run = await post()
  const { seen } = await run.follow()
  expect(seen.length).toBeGreaterThan(300)
  const whole = await readAll(run.url, 0)
  const blocks = whole.slice(RETRY.length).split(/(?<=\n\n)/)
  expect(blocks).toHaveLength(seen.length)
  for (let cut = 1; cut < blocks.length; cut++)
    expect(await readAll(run.url, cut)).toBe(RETRY + blocks.slice(cut).join(''))
})

test('a reader that is cut after each frame of a living run misses none', { timeout: 60_000 }, async () => {
  const { post } = await startTalk(2)
  const run = await post()
  const [cut, whole] = await Promise.all([run.follow({ cut: () => true }), run.follow()])
  expect(cut.seen).toEqual(whole.seen)
  expect(whole.ended).toBe(true)
})

test('readers that come at different times get the same frames', async () => {
  const { post } = await startTalk(2)
  const run = await post()
  const first = run.follow()
  const half = new RunFold()
  await run.follow({ fold: half, until: ({ id }: RunFrame) => id === 100 })
  const [a, b, c] = await Promise.all([first, run.follow({ fold: half }), run.follow()])
  const late = await run.follow()
  for (const reader of [a, b, c]) expect(reader.seen).toEqual(late.seen)
})

test('a reader that sleeps does not hold up the run, and gets it all', async () => {
  const { post } = await startTeam(({ outputs: _ }) => {
    const deltas = Array.from({ length: 3_000 }, (_, index) => `${index} ${'x'.repeat(2_000)}`)
    return { text: deltas.join(''), deltas }
  })
  const run = await post()
  const request = http.get(`${run.url}/events`)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  response.pause()
  const record = await run.ended()
  expect(record.status).toBe('completed')
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
  expect(ids).toEqual(ids.map((_, index) => index + 1))
  expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true)
  expect(ids.length).toBe(record.last_event_id)
})

import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent } from '../src/index.ts'
import { postgres } from '../src/postgres.ts'
import { promise } from './promises.ts'
import { final, postAndRead, readFrames, startServer, useUpstream } from './support/client.ts'
import { administer, createDatabase, hasPostgres } from './support/postgres.ts'

describe.skipIf(!hasPostgres)('two servers on one PostgreSQL', { timeout: 60_000 }, () => {
  test('a stream of one is cancelled through the other, by its owner alone', async () => {
    promise('B4')
    const { url: database, drop } = await createDatabase()
    onTestFinished(drop)
    const upstream = await useUpstream(() => ({ hang: true }))
    const start = () =>
      startServer({
        agencies: { solo: new Agency(new Agent({ name: 'Solo', model: 'gpt-4.1' })) },
        runs: {
          store: postgres(database),
          work: false,
          identify: ({ headers }) => String(headers['x-user'] ?? 'everybody'),
        },
      })
    const first = await start()
    const second = await start()
    const cancel = (run_id: string, headers = {}) =>
      postAndRead(`${second.url}/solo/cancel_response_stream`, { run_id, cancel_mode: 'immediate' }, headers)
    const frames = []
    let answer: Promise<Awaited<ReturnType<typeof cancel>>> | undefined
    for await (const frame of readFrames(`${first.url}/solo/get_response_stream`, { message: 'Hello' })) {
      frames.push(frame)
      if (frame.event !== 'meta') continue
      expect((await cancel(frame.data.run_id, { 'x-user': 'eve' })).status).toBe(404)
      await vi.waitFor(() => expect(upstream.seen).toHaveLength(1))
      answer = cancel(frame.data.run_id)
    }
    expect(await answer).toMatchObject({
      status: 200,
      body: { cancelled: true, timed_out: false, new_messages: [{ role: 'user', content: 'Hello' }] },
    })
    expect(final(frames)).toMatchObject({ cancelled: true })
    await upstream.seen[0]?.aborted
    expect((await cancel('00000000-0000-4000-8000-000000000000')).status).toBe(404)
    const name = new URL(database).pathname.slice(1)
    const left = async () => (await administer('SELECT id FROM agency_swarm.answers', name)).rows
    await vi.waitFor(async () => expect(await left()).toEqual([]))
  })
})

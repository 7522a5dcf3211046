import { expect, test } from 'vitest'
import { Agency, Agent, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, startWithHub, useUpstream } from './support/client.ts'

test('500 parallel streams are complete and leave nothing behind', async () => {
  promise('B2', 'C12')
  const upstream = await useUpstream((body) => {
    const text = JSON.stringify(body.input)
    const mark = /mark\d+x/.exec(text)?.[0]
    return text.includes('function_call_output')
      ? { text: `for ${mark}` }
      : { calls: [{ name: 'whoami', arguments: {}, id: `call_${mark}` }] }
  })
  const whoami = tool({ name: 'whoami', execute: (_input, context) => `I am ${context.get('user')}` })
  const agent = new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [whoami] })
  const { url, hub } = await startWithHub({ agencies: { solo: new Agency(agent) } })
  await Promise.all(
    Array.from({ length: 500 }, async (_, index) => {
      const mark = `mark${index}x`
      const frames = await allFrames(`${url}/solo/get_response_stream`, {
        message: mark,
        user_context: { user: mark },
      })
      expect(new Set(JSON.stringify(frames).match(/mark\d+x/g))).toEqual(new Set([mark]))
      expect(frames.flatMap((frame) => frame.event ?? [])).toEqual(['meta', 'messages', 'end'])
      expect(final(frames).new_messages).toHaveLength(4)
    }),
  )
  expect(upstream.seen).toHaveLength(1_000)
  await expect.poll(() => [hub.size, upstream.open()], { timeout: 3_000 }).toEqual([0, 0])
}, 30_000)

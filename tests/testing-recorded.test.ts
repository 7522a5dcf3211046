/** `recorded()`: answers of a provider, recorded once and replayed offline. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, tool } from '../src/index.ts'
import { expectRun, override, recorded, script } from '../src/testing/index.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'

afterEach(() => vi.unstubAllEnvs())

const KEY = 'sk-a-key-that-nobody-may-see'

/** A team of two at a provider, whose answers may be recorded. */
async function useTeam() {
  const upstream = await useUpstream((body) => {
    const text = JSON.stringify(body)
    const outputs = text.match(/"type":"function_call_output"/g)?.length ?? 0
    if (text.includes('You are Clerk'))
      return outputs === 0
        ? { calls: [{ name: 'price', arguments: { item: 'mug', password: 'hunter2' } }] }
        : { text: 'It costs 7.' }
    const call = {
      name: 'send_message',
      arguments: { recipient_agent: 'Clerk', message: 'The price?', additional_instructions: '' },
    }
    return outputs === 0 ? { calls: [call] } : { text: 'The mug costs 7.' }
  })
  const asked = () => upstream.seen.length
  const create = ({ price = 7, rules = 'Today is Monday.' } = {}) => {
    const parameters = z.object({ item: z.string(), password: z.string() })
    const tools = [tool({ name: 'price', parameters, execute: () => `${price} (authorization: Bearer ${KEY})` })]
    const chief = new Agent({ name: 'Chief', instructions: `You are Chief. ${rules}`, model: 'gpt-4.1' })
    const clerk = new Agent({ name: 'Clerk', instructions: 'You are Clerk.', model: 'gpt-4.1', tools })
    return new Agency(chief, { communicationFlows: [[chief, clerk]] })
  }
  return { asked, create, close: upstream.close }
}

test('a file answers offline, and names the first place that differs', async () => {
  const { asked, create, close } = await useTeam()
  vi.stubEnv('ANTHROPIC_API_KEY', KEY)
  const file = join(useFolder(), 'new/folder/price.json')
  const options = { normalize: (request: object) => JSON.parse(JSON.stringify(request).replace(/Today is \w+\./, '')) }
  const run = (changes: Parameters<typeof create>[0], streamed = true) => {
    const team = override(create(changes), { model: recorded(file, 'gpt-4.1', options) })
    return streamed
      ? team.getResponseStream('How much is the mug?').finalResult
      : team.getResponse('How much is the mug?')
  }
  const live = await run({})
  expect(asked()).toBe(4)
  await close()
  const offline = await run({ rules: 'Today is Tuesday.' }, false)
  expectRun(offline)
    .toHaveCalled('price', { agent: 'Clerk', arguments: { item: 'mug' } })
    .toAnswer('The mug costs 7.')
  expect(offline.usage).toEqual(live.usage)
  expect(offline.usage?.total_cost).toBeGreaterThan(0)
  expect(asked()).toBe(4)

  const text = readFileSync(file, 'utf8')
  const recording = JSON.parse(text)
  expect(text).toBe(`${JSON.stringify(recording, null, 2)}\n`)
  expect(text).not.toMatch(/nobody-may-see|hunter2|sk-server-key|Today is/)
  expect(text).toContain('[redacted]')
  expect(recording.calls.map(({ agent }: { agent: string }) => agent)).toEqual(['Chief', 'Clerk', 'Clerk', 'Chief'])

  await expect(run({ price: 8 })).rejects.toThrow(
    `This run differs from ${file}: model call 2 of Clerk: input[2].output is "8 (authorization: Bearer [redacted])", recorded "7 (authorization: Bearer [redacted])". If this is intended, record anew: run the test with AGENCY_RECORD=1.`,
  )
  await expect(run({ rules: 'Be brief. Today is Friday.' })).rejects.toThrow(/model call 1 of Chief: instructions is/)
})

test('AGENCY_RECORD=1 writes the file anew, without calls that failed', async () => {
  const file = join(useFolder(), 'file.json')
  const ask = (answers: Parameters<typeof script>[0], message = 'Hi') =>
    new Agent({ name: 'Solo', model: recorded(file, script(answers, { name: 'gpt-4.1' })) }).getResponse(message)
  await ask(['One.'])
  await expect(ask(['Two.'])).resolves.toMatchObject({ finalOutput: 'One.' })
  vi.stubEnv('AGENCY_RECORD', '1')
  await expect(ask(['Two.'])).resolves.toMatchObject({ finalOutput: 'Two.' })
  await expect(ask([{ error: 'down' }])).rejects.toThrow('down')
  vi.stubEnv('AGENCY_RECORD', '')
  await expect(ask([])).resolves.toMatchObject({ finalOutput: 'Two.' })
  const both = new Agent({ name: 'Solo', model: recorded(pathToFileURL(file), 'gpt-4.1') })
  await both.getResponse('Hi')
  await expect(both.getResponse('Hi')).rejects.toThrow(/Solo makes model call 2, and 1 are recorded/)
})

test('a file that is none, or too large, is refused', async () => {
  const file = join(useFolder(), 'file.json')
  const ask = () => new Agent({ name: 'Solo', model: recorded(file, 'gpt-4.1') }).getResponse('Hi')
  writeFileSync(file, '{"kind":"run"}')
  await expect(ask()).rejects.toMatchObject({ code: 'RECORDING_INVALID', message: /not a recording of this kind/ })
  writeFileSync(file, `{"kind":"model","x":"${'x'.repeat(10 * 1024 * 1024)}"}`)
  await expect(ask()).rejects.toThrow(/it has more than 10485760 bytes/)
})

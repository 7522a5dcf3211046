import { join } from 'node:path'
import { expect, test } from 'vitest'
import { promise } from './promises.ts'
import { final, post, readFrames } from './support/client.ts'
import { startProcess } from './support/process.ts'

const MAIN = join(import.meta.dirname, '../examples/starter/main.ts')

const startExample = (env: Record<string, string> = {}) => startProcess(MAIN, env)

test('on SIGTERM a running stream finishes and new work is rejected', async () => {
  promise('B2')
  const { child, exit, url } = await startExample()
  const frames = []
  for await (const frame of readFrames(`${url}/starter/get_response_stream`, { message: 'Hello' })) {
    if (frames.length === 3) child.kill('SIGTERM')
    frames.push(frame)
  }
  expect(frames.at(-1)?.event).toBe('end')
  expect(final(frames)).toMatchObject({ cancelled: false, new_messages: [{ role: 'user' }, { role: 'assistant' }] })
  expect(await exit).toEqual([null, 'SIGTERM'])
  await expect(post(`${url}/starter/get_response`, { message: 'Hello' })).rejects.toThrow()
})

test('the banner has addresses, models and curl lines, no secret', async () => {
  promise('A3', 'F10')
  const open = await startExample()
  expect(open.text()).toMatch(/\/starter {2}Guide, Researcher, Support {2}model: demo \(demo: offline/)
  expect(open.text()).toContain('NO TOKEN IS SET')
  expect(open.text().match(/^ {2}curl /gm)).toHaveLength(3)
  expect(open.url).toContain('127.0.0.1')
  const closed = await startExample({ APP_TOKEN: 'token-nobody-may-see' })
  expect(closed.text()).toContain('A bearer token is required')
  expect(closed.text()).not.toContain('token-nobody-may-see')
  expect((await fetch(`${closed.url}/starter/get_metadata`)).status).toBe(401)
})

test('a missing key and a used port are errors with a remedy', async () => {
  promise('F10')
  const keyless = await startExample({ AGENCY_MODEL: 'gpt-5.4' })
  expect((await keyless.exit)[0]).toBe(1)
  expect(keyless.text()).toMatch(/OPENAI_API_KEY.*model: "demo"/)
  const first = await startExample()
  const second = await startExample({ PORT: new URL(first.url).port })
  expect((await second.exit)[0]).toBe(1)
  expect(second.text()).toMatch(/Port \d+ is in use.*PORT=8001/)
})

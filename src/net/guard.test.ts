import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { checkAddress, createGuardedAgent } from './guard.ts'

test.for([
  'http://127.1/v1',
  'http://2130706433/v1',
  'http://0x7f000001/v1',
  'http://[::ffff:7f00:1]/v1',
  'http://localhost/v1',
])('%s is refused in whatever spelling', async (url) => {
  await expect(checkAddress(url)).rejects.toMatchObject({ code: 'GATEWAY_REFUSED' })
})

test('one inner address among outer ones is enough to refuse a name', async () => {
  await expect(checkAddress('http://mixed.example/', async () => ['8.8.8.8', '10.0.0.1'])).rejects.toMatchObject({
    code: 'GATEWAY_REFUSED',
  })
})

test('a silent resolver is given up after four seconds', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const refused = expect(checkAddress('http://slow.example/', () => new Promise(() => {}))).rejects.toMatchObject({
    code: 'GATEWAY_REFUSED',
  })
  await vi.advanceTimersByTimeAsync(4_000)
  await refused
})

test('a name that turns inward after the check is still not reached', async () => {
  let reached = 0
  const server = http.createServer((_request, response) => {
    reached++
    response.end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  let look = 0
  const rebinding = async () => (look++ === 0 ? ['8.8.8.8'] : ['127.0.0.1'])
  const origin = `http://rebind.example:${(server.address() as AddressInfo).port}`
  await checkAddress(origin, rebinding)
  const agent = createGuardedAgent({}, rebinding)
  await expect(agent.request({ origin, path: '/', method: 'GET' })).rejects.toMatchObject({ code: 'GATEWAY_REFUSED' })
  expect(reached).toBe(0)
  await agent.close()
})

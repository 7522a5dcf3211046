import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { checkAddress, createGuardedAgent, isPublicAddress } from './guard.ts'

test.for([
  '127.0.0.1',
  '10.1.2.3',
  '192.168.0.1',
  '172.16.0.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  'fe80::1',
  'fc00::1',
  'ff02::1',
  '::127.0.0.1',
  '::7f00:1',
  '::5efe:7f00:1',
  'fec0::1',
  '4000::1',
  'nonsense',
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})

test.for(['8.8.8.8', '2606:4700:4700::1111', '::ffff:8.8.8.8'])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})

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

test('a resolver that never answers is waited for four seconds, then the address is refused', async () => {
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

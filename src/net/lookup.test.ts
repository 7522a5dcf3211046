import { createSocket, type Socket } from 'node:dgram'
import { lookup as systemLookup } from 'node:dns/promises'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { checkAddress } from './guard.ts'
import { createLookup } from './lookup.ts'

/** A name server on a free port that answers with `reply`, or not at all; `asked` counts the questions. */
async function startNameServer(reply: (question: Buffer, socket: Socket) => Buffer | undefined) {
  const socket = createSocket('udp4')
  let asked = 0
  socket.on('message', (question, { port, address }) => {
    asked++
    const answer = reply(question, socket)
    if (answer !== undefined) socket.send(answer, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  onTestFinished(() => void socket.close())
  return { servers: [`127.0.0.1:${socket.address().port}`], asked: () => asked }
}

/** An answer to a question for one address; none for the other family (RFC 1035, 4.1). */
function answerWith(ipv4: string) {
  return (question: Buffer) => {
    const wantsIpv4 = question.readUInt16BE(question.indexOf(0, 12) + 1) === 1
    const header = Buffer.from([0x81, 0x80, 0, 1, 0, wantsIpv4 ? 1 : 0, 0, 0, 0, 0])
    const asked = question.subarray(12, question.indexOf(0, 12) + 5)
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...ipv4.split('.').map(Number)])
    return Buffer.concat([question.subarray(0, 2), header, asked, ...(wantsIpv4 ? [record] : [])])
  }
}

test('unanswered names block no other lookups or file reads', async () => {
  const { servers } = await startNameServer(() => undefined)
  const lookup = createLookup({ servers, ms: 300, concurrent: 8 })
  const order: string[] = []
  const note = (what: string) => () => void order.push(what)
  const dead = Array.from({ length: 20 }, (_, index) => lookup(`dead${index}.example`).then(note('?'), note('dead')))
  await Promise.all([
    systemLookup('localhost').then(note('system')),
    readFile(import.meta.filename).then(note('file')),
    ...dead,
  ])
  expect(order.slice(0, 2).sort()).toEqual(['file', 'system'])
  expect(order.slice(2)).toEqual(Array(20).fill('dead'))
})

test('lookups run a few at a time, some wait, more are rejected', async () => {
  const { servers, asked } = await startNameServer(() => undefined)
  const lookup = createLookup({ servers, ms: 200, concurrent: 3, queued: 4 })
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, (_, index) => lookup(`n${index}.example`).catch(({ code }) => code)),
  )
  expect(outcomes.filter((code) => code === 'OVERLOADED')).toHaveLength(3)
  expect(new Set(outcomes.slice(0, 7))).toEqual(new Set(['ECANCELLED']))
  expect(asked()).toBeLessThanOrEqual(2 * 7) // two families each
  expect(await lookup('later.example').catch(({ code }) => code)).toBe('ECANCELLED') // there is room again
})

test('unknown and internal names are rejected alike', async () => {
  const outside = await startNameServer(answerWith('93.184.215.14'))
  expect(await createLookup(outside)('gateway.example')).toEqual(['93.184.215.14'])
  const inside = await startNameServer(answerWith('10.0.0.1'))
  const missing = await startNameServer((question) =>
    Buffer.from([...question.subarray(0, 2), 0x81, 0x83, ...question.subarray(4)]),
  )
  for (const server of [inside, missing])
    await expect(checkAddress('http://gateway.example/v1', createLookup(server))).rejects.toMatchObject({
      code: 'GATEWAY_REFUSED',
    })
  const full = createLookup({ ...inside, concurrent: 0, queued: 0 })
  await expect(checkAddress('http://gateway.example/v1', full)).rejects.toMatchObject({ code: 'OVERLOADED' })
})

test('names of this machine are loopback without a question', async () => {
  const { servers, asked } = await startNameServer(() => undefined)
  const lookup = createLookup({ servers })
  for (const name of ['localhost', 'LOCALHOST', 'localhost.', 'a.b.localhost', 'A.Localhost.'])
    expect(await lookup(name)).toEqual(['127.0.0.1', '::1'])
  expect(asked()).toBe(0)
})

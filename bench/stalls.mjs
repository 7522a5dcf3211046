// How long one request keeps all others waiting: the longest turns of the server's event loop, in processor time.
// node bench/stalls.mjs [part of a case's name] [MiB]
import { LONG_REQUESTS, longText, startTurns } from '../tests/support/turns.ts'

const [only = '', size = '30'] = process.argv.slice(2)
const mib = Number(size)
const server = await startTurns(mib, process.env.PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${process.env.PROFILE}`] : [])
const cases = {
  ...LONG_REQUESTS,
  'a streamed answer of a model': () => ['/responses/get_response_stream', { message: 'ask-long' }],
  'an answer in a stored run': () => ['/responses/runs', { message: 'ask-long', stream: true }],
  'a message in a thread': (mib) => ['/responses/runs', { message: longText(mib), thread_id: 't', stream: true }],
}
for (const [name, make] of Object.entries(cases)) {
  if (!name.includes(only)) continue
  const { status, text, turns } = await server.measure(...make(mib))
  const longest = turns.map((turn) => turn.toFixed(0)).join(' ')
  console.log(
    `${name.padEnd(34)} ${String(status)} ${String(text.length).padStart(10)} bytes, longest turns in ms: ${longest}`,
  )
}
if ('four at once'.includes(only)) {
  let longest = 0
  let over = false
  const four = Array.from({ length: 4 }, () => server.ask(...LONG_REQUESTS['many values'](mib)))
  const all = Promise.all(four).then(() => {
    over = true
  })
  while (!over) {
    const began = performance.now()
    await server.ask('/responses/get_response', { message: 'x' })
    longest = Math.max(longest, performance.now() - began)
  }
  await all
  console.log(`${'four at once of many values'.padEnd(34)} others waited ${longest.toFixed(0)} ms at most`)
}
server.stop()

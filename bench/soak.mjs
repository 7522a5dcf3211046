// Runs minutes of mixed load with faults, drops, cancels, slow readers and hostile callers against the built package.
//   npm run soak -- [--minutes 10] [--callers 40] [--seed 1] [--write]     --write puts the card into docs/reliability.md
//   npm run soak -- --hostile [--minutes 10] [--only gateway,static] [--write]     attacks on a small heap: soak-hostile.mjs
import { fork } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../scripts/free-port.mjs'
import { writeMeasured } from '../scripts/write-measured.mjs'
import { startFaultyModel } from './lib/faulty-model.mjs'

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    callers: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
    hostile: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const minutes = Number(options.minutes)
if (options.hostile) {
  const { soakHostile } = await import('./soak-hostile.mjs')
  const held = await soakHostile({ minutes, write: options.write, only: options.only?.split(',') })
  process.exit(held ? 0 : 1)
}
const random = numbers(Number(options.seed))
const model = await startFaultyModel({ random, faultRate: 0.25 })
const port = await freePort()
const LIMITS = {
  AGENCY_UPSTREAM_FIRST_BYTE_MS: '2000',
  AGENCY_UPSTREAM_IDLE_MS: '2000',
  AGENCY_IDLE_TIMEOUT_MS: '3000',
  AGENCY_HEADERS_TIMEOUT_MS: '4000',
  AGENCY_BODY_TIMEOUT_MS: '6000',
  AGENCY_RUN_MS: '60000',
}
const child = fork(fileURLToPath(new URL('servers/soak.mjs', import.meta.url)), {
  execArgv: ['--expose-gc'],
  env: {
    ...process.env,
    ...LIMITS,
    PORT: String(port),
    OPENAI_BASE_URL: model.baseURL,
    OPENAI_API_KEY: 'sk-soak',
    NODE_ENV: 'production',
  },
  stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
})
let complaints = ''
child.stderr.on('data', (chunk) => {
  complaints = (complaints + chunk).slice(-20_000)
})
let died
child.once('exit', (code, signal) => {
  died = `${code ?? signal}`
})
await new Promise((resolve) => child.once('message', resolve))

const origin = `http://127.0.0.1:${port}`
const card = {
  streams: 0,
  plain: 0,
  dropped: 0,
  cancelled: 0,
  sleepers: 0,
  hostile: 0,
  failures: [],
  slowestHealthMs: 0,
}
const until = performance.now() + minutes * 60_000
const warm = performance.now() + Math.min(30_000, minutes * 12_000)
let marks = 0

let before
const workers = Array.from({ length: Number(options.callers) }, async () => {
  while (performance.now() < until && died === undefined) await one().catch((error) => fail('the soak itself', error))
})
const watch = (async () => {
  while (performance.now() < until && died === undefined) {
    const asked = performance.now()
    const { status } = await fetch(`${origin}/healthz`).catch(() => ({ status: 0 }))
    if (status !== 200) fail('healthz', status)
    card.slowestHealthMs = Math.max(card.slowestHealthMs, performance.now() - asked)
    if (before === undefined && performance.now() > warm) before = await measure()
    await sleep(250)
  }
})()
await Promise.all([...workers, watch])
await sleep(12_000) // longer than every limit above: what is left now is left for good
const after = died === undefined ? await measure() : undefined
const text = describe()
console.log(text)
if (options.write) writeMeasured('docs/reliability.md', 'npm run soak -- --write', text)
child.kill('SIGTERM')
const clean =
  died === undefined ? await new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal))) : died
if (clean !== 'SIGTERM') fail('the last stop', clean)
for (const failure of card.failures.slice(0, 20)) console.error(failure)
if (card.failures.length > 0) console.error(complaints.slice(-3_000))
process.exit(card.failures.length === 0 ? 0 : 1)

function fail(what, why) {
  card.failures.push(`${what}: ${why instanceof Error ? (why.stack ?? why.message) : why}`)
}

/** Picks and runs the behaviour of one caller. */
async function one() {
  const mark = `mark${++marks}x`
  const agency = random() < 0.6 ? 'responses' : 'chat'
  const fate = random()
  if (fate < 0.5) return stream(agency, mark)
  if (fate < 0.65) return plain(agency, mark)
  if (fate < 0.77) return stream(agency, mark, 'drop')
  if (fate < 0.89) return stream(agency, mark, 'cancel')
  if (fate < 0.94) return sleeper(agency, mark)
  return hostile()
}

function post(path, body, signal) {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body), signal })
}

/** A stream that is read to its end, dropped or cancelled at a random point. */
async function stream(agency, mark, fate) {
  card.streams++
  const leave = new AbortController()
  const afterMs = random() * 150
  const timer = fate === 'drop' ? setTimeout(() => leave.abort(), afterMs) : undefined
  let text = ''
  let answer
  try {
    const response = await post(`/${agency}/get_response_stream`, { message: mark }, leave.signal)
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk
      if (fate !== 'cancel' || answer !== undefined) continue
      const run_id = /"run_id":"([^"]+)"/.exec(text)?.[1]
      const cancel_mode = random() < 0.5 ? 'immediate' : 'after_turn'
      answer = sleep(afterMs).then(async () => {
        const { status } = await post(`/${agency}/cancel_response_stream`, { run_id, cancel_mode })
        if (status !== 200 && status !== 404) fail('cancel', status)
        if (status === 200) card.cancelled++
      })
    }
  } catch (error) {
    if (!leave.signal.aborted) fail(`stream of ${agency}`, error)
    card.dropped++
    return
  } finally {
    clearTimeout(timer)
  }
  await answer
  const ends = text.match(/^event: (messages|end)$/gm)?.join()
  if (ends !== 'event: messages,event: end') fail(`end of a stream of ${agency}`, `${ends} ${text.slice(-300)}`)
  expectOwn(text, mark)
}

async function plain(agency, mark) {
  card.plain++
  const response = await post(`/${agency}/get_response`, { message: mark })
  const text = await response.text()
  if (response.status !== 200 && !(response.status === 500 && 'error' in JSON.parse(text)))
    fail(`plain ${agency}`, response.status)
  expectOwn(text, mark)
}

function expectOwn(text, mark) {
  const strange = (text.match(/mark\d+x/g) ?? []).find((found) => found !== mark)
  if (strange !== undefined) fail('isolation', `${mark} was told of ${strange}`)
}

/** A reader that stops reading, then disconnects or is disconnected. */
async function sleeper(agency, mark) {
  card.sleepers++
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.pause()
  const body = JSON.stringify({ message: mark })
  socket.write(
    `POST /${agency}/get_response_stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  await sleep(random() * 5_000)
  socket.destroy()
}

/** Bytes that are not a request, requests that never end, and invalid bodies. */
async function hostile() {
  card.hostile++
  const head = 'POST /responses/get_response HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const attacks = [
    `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}`,
    `${head}Content-Length: 100\r\n\r\n{`,
    `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    `${head}X-A: ${'a'.repeat(20_000)}\r\n\r\n`,
    `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `${head}Content-Length: 200000\r\n\r\n${'['.repeat(200_000)}`,
    `${head}Content-Length: 30\r\n\r\n{"message":"x","__proto__":{}} `,
    '\u0016\u0003\u0001\u0002\u0000',
    '',
  ]
  const socket = connect(port, '127.0.0.1')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  let answer = ''
  socket
    .on('error', () => {})
    .on('data', (chunk) => {
      answer += chunk
    })
  socket.write(attacks[Math.floor(random() * attacks.length)])
  await Promise.race([closed, sleep(random() < 0.5 ? 200 : 7_000)])
  socket.destroy()
  if (/^HTTP\/1\.1 5/.test(answer)) fail('hostile bytes', answer.slice(0, 200))
}

async function measure() {
  const memory = new Promise((resolve) => child.once('message', resolve))
  child.send('measure')
  return { ...(await memory), ...descriptors() }
}

/** Open files and sockets of the server (Linux only). */
function descriptors() {
  const folder = `/proc/${child.pid}/fd`
  try {
    const targets = readdirSync(folder).map((name) => {
      try {
        return readlinkSync(`${folder}/${name}`)
      } catch {
        return '' // it was closed meanwhile
      }
    })
    return { files: targets.length, sockets: targets.filter((target) => target.startsWith('socket:')).length }
  } catch {
    return { files: 0, sockets: 0 }
  }
}

function describe() {
  const faults = Object.values(model.counts).reduce((sum, count) => sum + count, 0)
  const mib = (bytes) => `${(bytes / 1048576).toFixed(1)} MiB`
  const asked = card.streams + card.plain + card.sleepers + card.hostile
  const rows = [
    ['minutes, callers at once', `${minutes}, ${options.callers}`],
    ['requests', asked.toLocaleString('en-US')],
    ['of these streams', card.streams.toLocaleString('en-US')],
    ['dropped by their readers', card.dropped.toLocaleString('en-US')],
    ['cancelled', card.cancelled.toLocaleString('en-US')],
    ['readers that slept', card.sleepers.toLocaleString('en-US')],
    ['hostile or broken requests', card.hostile.toLocaleString('en-US')],
    ['faults of the model', `${faults.toLocaleString('en-US')} of ${Object.keys(model.counts).length} kinds`],
    [
      'survived as promised',
      `${(asked - card.failures.length).toLocaleString('en-US')} of ${asked.toLocaleString('en-US')}`,
    ],
    ['the process', died === undefined ? 'alive' : `died (${died})`],
    ['slowest answer of /healthz', `${card.slowestHealthMs.toFixed(0)} ms`],
    [
      'heap in use after the warm-up (under load), at the end (idle)',
      after && before ? `${mib(before.heapUsed)}, ${mib(after.heapUsed)}` : '-',
    ],
    ['resident memory at the same times', after && before ? `${mib(before.rss)}, ${mib(after.rss)}` : '-'],
    ['open descriptors, of these sockets, under load', before ? `${before.files}, ${before.sockets}` : '-'],
    ['open descriptors, of these sockets, at the end', after ? `${after.files}, ${after.sockets}` : '-'],
  ]
  const machine = `${cpus().length} x ${cpus()[0]?.model.split(' ').slice(0, 2).join(' ')}, Node ${process.version}`
  return [
    `Measured ${new Date().toISOString().slice(0, 10)} on ${machine}, seed ${options.seed}.`,
    '',
    '| | |',
    '| --- | --- |',
    ...rows.map(([name, value]) => `| ${name} | ${value} |`),
    '',
  ].join('\n')
}

/** A repeatable stream of numbers between 0 and 1. */
function numbers(seed) {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

// Hostile callers, a hostile gateway and a hostile MCP server beside 20 honest callers, on a heap of 512 MiB with 256
// descriptors: no process ends, no honest run fails, and none waits 1.5 s longer than it did without them.
import { fork, spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../scripts/free-port.mjs'
import { writeMeasured } from '../scripts/write-measured.mjs'
import { startFaultyModel } from './lib/faulty-model.mjs'

const HEAP_MIB = 512
const DESCRIPTORS = 256
const HONEST = 20
/** How much longer an honest caller may wait while hostile callers are active. */
const MORE_MS = 1_500
const TOKEN = 'soak-token'
const LIMITS = {
  AGENCY_UPSTREAM_FIRST_BYTE_MS: '20000',
  AGENCY_UPSTREAM_IDLE_MS: '20000',
  AGENCY_IDLE_TIMEOUT_MS: '5000',
  AGENCY_HEADERS_TIMEOUT_MS: '4000',
  AGENCY_BODY_TIMEOUT_MS: '8000',
  AGENCY_RUN_MS: '60000',
}

/** @returns true when all checks passed */
export async function soakHostile({ minutes, write, only }) {
  const model = await startFaultyModel({ random: () => 0.5, faultRate: 0 })
  const attackers = fork(fileURLToPath(new URL('lib/hostile-callers.mjs', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const hosts = await message(attackers)
  const server = await startServer(model.baseURL, hosts)
  const failures = []
  const calm = { waits: [], runs: 0 }
  const hostile = { waits: [], runs: 0 }
  let phase = calm
  let stopped = false
  const caller = async (index) => {
    while (!stopped && server.died() === undefined) {
      const began = performance.now()
      const { waits } = phase
      const own = phase
      await honest(server.origin, index).catch((error) =>
        failures.push(`${own === calm ? 'calm' : 'hostile'}: ${error.message ?? error}`),
      )
      waits.push(performance.now() - began)
      own.runs++
      await sleep(50 + Math.random() * 200)
    }
  }
  const callers = Array.from({ length: HONEST }, (_, index) => caller(index))
  await sleep(Math.max(10_000, minutes * 6_000))
  phase = hostile
  attackers.send({ origin: server.origin, token: TOKEN, only })
  const until = performance.now() + minutes * 60_000
  let peak = 0
  let stall = 0
  while (performance.now() < until && server.died() === undefined) {
    peak = Math.max(peak, await server.rss())
    stall = Math.max(stall, 1000 * (await server.stall()))
    await sleep(250)
  }
  attackers.send('stop')
  const told = server.died() === undefined ? await message(attackers) : { counts: {}, wrong: [], wrongs: 0 }
  stopped = true
  await Promise.all(callers)
  const left = server.died() === undefined ? await server.held() : Number.NaN
  const longer = Math.max(...hostile.waits) - Math.max(...calm.waits)
  const wrongs = [...failures.slice(0, 20), ...told.wrong]
  if (server.died() !== undefined) wrongs.push(`the server died: ${server.died()}`)
  if (longer > MORE_MS) wrongs.push(`an honest caller waited ${longer.toFixed(0)} ms longer`)
  if (left !== 0) wrongs.push(`${left} bytes were not given back`)
  const text = describe({ minutes, calm, hostile, told, failures, peak, stall, left, died: server.died() })
  console.log(text)
  for (const wrong of wrongs) console.error(wrong)
  if (wrongs.length > 0) console.error(server.complaints())
  if (write) writeMeasured('docs/reliability.md', 'npm run soak -- --hostile --write', text)
  server.stop()
  attackers.kill()
  model.server.closeAllConnections()
  return wrongs.length === 0
}

const message = (child) =>
  new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', () => reject(new Error('a process ended before it said anything')))
  })

async function startServer(modelURL, { gateway, mcp }) {
  const port = await freePort()
  const file = fileURLToPath(new URL('servers/hostile.mjs', import.meta.url))
  const command = `ulimit -n ${DESCRIPTORS}; exec "${process.execPath}" --max-old-space-size=${HEAP_MIB} "${file}"`
  const env = {
    ...process.env,
    ...LIMITS,
    PORT: String(port),
    APP_TOKEN: TOKEN,
    OPENAI_BASE_URL: modelURL,
    OPENAI_API_KEY: 'sk-soak',
    HOSTILE_ORIGIN: gateway,
    HOSTILE_MCP: mcp,
    NODE_ENV: 'production',
  }
  const child = spawn('sh', ['-c', command], { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let complaints = ''
  let died
  child.stderr.on('data', (chunk) => {
    complaints = (complaints + chunk).slice(-5_000)
  })
  child.once('exit', (code, signal) => {
    died = `${code ?? signal}`
  })
  await message(child)
  const origin = `http://127.0.0.1:${port}`
  const gauge = async (name) => {
    const text = await fetch(`${origin}/metrics`, { signal: AbortSignal.timeout(10_000) }).then(
      (answer) => answer.text(),
      () => '',
    )
    return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? 0)
  }
  return {
    origin,
    died: () => died,
    complaints: () => complaints,
    rss: () => gauge('process_memory_usage_bytes'),
    stall: () => gauge('nodejs_eventloop_delay_max_seconds'),
    /** The memory in use after the last request. */
    async held() {
      for (let round = 0; round < 60; round++) {
        if ((await gauge('agency_swarm_memory_held_bytes')) === 0) return 0
        await sleep(500)
      }
      return gauge('agency_swarm_memory_held_bytes')
    },
    stop: () => child.kill('SIGKILL'),
  }
}

/** One run of an honest caller. */
async function honest(origin, index) {
  const agency = index % 2 ? 'responses' : 'chat'
  const streaming = Math.random() < 0.7
  const mark = `mark${index}x`
  const response = await fetch(`${origin}/${agency}/get_response${streaming ? '_stream' : ''}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ message: mark, chat_history: history(mark) }),
    signal: AbortSignal.timeout(60_000),
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${response.status} ${text.slice(0, 200)}`)
  if (streaming && !/event: messages\n[^\n]*\n\nevent: end\n/.test(text)) throw new Error(`no end: ${text.slice(-300)}`)
  if (streaming && /"type": ?"error"/.test(text)) throw new Error(`an error: ${/"content": ?"[^"]*"/.exec(text)?.[0]}`)
  if (!text.includes(mark)) throw new Error('an answer without its mark')
}

const history = (mark) =>
  Array.from({ length: 20 }, (_, index) => ({
    role: index % 2 ? 'assistant' : 'user',
    content: `${mark} said ${index}`,
    agent: 'Lead',
    callerAgent: null,
    timestamp: index,
  }))

function describe({ minutes, calm, hostile, told, failures, peak, stall, left, died }) {
  const longest = ({ waits }) => `${Math.max(0, ...waits).toFixed(0)} ms`
  const median = ({ waits }) => `${(waits.toSorted((a, b) => a - b)[waits.length >> 1] ?? 0).toFixed(0)} ms`
  const attacks = Object.values(told.counts).reduce((sum, count) => sum + count, 0)
  const rows = [
    ['minutes; heap; descriptors', `${minutes}; ${HEAP_MIB} MiB; ${DESCRIPTORS}`],
    ['honest callers at once', String(HONEST)],
    ['attacks, kinds of attacks', `${attacks.toLocaleString('en-US')}, ${Object.keys(told.counts).length}`],
    ['attacks that were answered wrongly', String(told.wrongs)],
    ['the process', died === undefined ? 'alive' : `died (${died})`],
    ['honest runs, of these failed', `${(calm.runs + hostile.runs).toLocaleString('en-US')}, ${failures.length}`],
    ['an honest run takes, without and with hostile callers (median)', `${median(calm)}, ${median(hostile)}`],
    ['the longest one', `${longest(calm)}, ${longest(hostile)}`],
    ['longest time without a turn for others', `${stall.toFixed(0)} ms`],
    ['most resident memory', `${(peak / 1048576).toFixed(0)} MiB`],
    ['held by requests and runs at the end', `${left} bytes`],
  ]
  const machine = `${cpus().length} x ${cpus()[0]?.model.split(' ').slice(0, 2).join(' ')}, Node ${process.version}`
  return [
    `Measured ${new Date().toISOString().slice(0, 10)} on ${machine}.`,
    '',
    '| | |',
    '| --- | --- |',
    ...rows.map(([name, value]) => `| ${name} | ${value} |`),
    '',
  ].join('\n')
}

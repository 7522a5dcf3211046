// Starts, watches and stops the servers under test. None is left running.
import { spawn } from 'node:child_process'
import { mkdtempSync, openSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../scripts/free-port.mjs'
import { adapters } from './adapters.mjs'
import { fire, newPool } from './load.mjs'

const here = resolve(import.meta.dirname, '..')
const logs = mkdtempSync(join(tmpdir(), 'bench-'))
const running = new Set()

function killAll() {
  for (const child of running) signal(child, 'SIGKILL')
}
function signal(child, name) {
  try {
    process.kill(-child.pid, name)
  } catch {
    // already gone
  }
}
process.on('exit', killAll)
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => process.exit(1))

/** Starts one server on a free port and resolves after its first answer. */
export async function launch(server, upstream) {
  const port = await freePort()
  const log = join(logs, `${server.name}.log`)
  const file = openSync(log, 'a')
  const [command, ...args] = server.command.map((part) =>
    part.replaceAll('{node}', process.execPath).replaceAll('{here}', here).replaceAll('{port}', String(port)),
  )
  const env = {
    ...process.env,
    PORT: String(port),
    OPENAI_BASE_URL: `${upstream}/v1`,
    OPENAI_API_KEY: 'sk-bench',
    NODE_ENV: 'production',
    NO_COLOR: '1',
    ...server.env,
  }
  const child = spawn(command, args, { cwd: logs, env, stdio: ['ignore', file, file], detached: true })
  running.add(child)
  let gone = false
  const over = () => {
    gone = true
    running.delete(child)
  }
  child.on('exit', over)
  child.on('error', over)
  const started = { ...server, child, port, origin: `http://127.0.0.1:${port}`, pool: newPool(), log }
  started.readyMs = await untilReady(started, () => gone)
  return started
}

async function untilReady({ name, adapter, prefix, port, origin, log }, gone, limitMs = 90_000) {
  const start = performance.now()
  while (performance.now() - start < limitMs) {
    if (gone()) throw new Error(`${name} ended at once, see ${log}`)
    if (await answers(port)) {
      const pool = newPool()
      const request = { method: 'GET', path: adapters[adapter].ready(prefix), headers: {} }
      const answer = await fire(pool, origin, request).done.catch(() => undefined)
      await pool.destroy()
      if (answer !== undefined && answer.status < 500) return performance.now() - start
    }
    await sleep(4)
  }
  throw new Error(`${name} did not answer within ${limitMs} ms, see ${log}`)
}

const answers = (port) =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.on('error', () => done(false))
  })

export async function stop({ child, pool }) {
  pool.destroy().catch(() => {})
  signal(child, 'SIGTERM')
  for (let tries = 0; tries < 40 && running.has(child); tries++) await sleep(50)
  signal(child, 'SIGKILL')
}

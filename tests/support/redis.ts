/** A Redis of the tests' own on a free port, which can be killed and started again. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, vi } from 'vitest'

/** False where no Redis is installed: the tests are skipped then, and counted as skipped. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

export async function startRedis() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  let child: ChildProcess
  const start = async () => {
    const options = { port, bind: '127.0.0.1', save: '', appendonly: 'no' }
    child = spawn(
      'redis-server',
      Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
    )
    let printed = ''
    child.stdout?.on('data', (chunk) => {
      printed += chunk
    })
    await vi.waitFor(() => expect(printed).toContain('Ready to accept connections'), { timeout: 10_000 })
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    /** It keeps its connections and answers nothing until it is woken. */
    pause: () => child.kill('SIGSTOP'),
    wake: () => child.kill('SIGCONT'),
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    },
  }
}

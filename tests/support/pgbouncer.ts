/** A PgBouncer of the tests' own before the PostgreSQL server of postgres.ts. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'

/** False where PgBouncer is not installed: the tests are skipped then, and counted as skipped. */
export const hasPgBouncer = spawnSync('pgbouncer', ['--version']).status === 0

/** @param database address of the database behind it @returns the address of the same database through the pooler */
export async function startPgBouncer(database: string, mode: 'session' | 'transaction', poolSize = 20) {
  const { hostname, port, username, password, pathname } = new URL(database)
  const folder = mkdtempSync(join(tmpdir(), 'pgbouncer-'))
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port: ownPort } = probe.address() as { port: number }
  probe.close()
  const user = decodeURIComponent(username)
  writeFileSync(join(folder, 'users.txt'), `"${user}" "${decodeURIComponent(password)}"\n`)
  writeFileSync(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=${hostname} port=${port || 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${ownPort}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users.txt')}
pool_mode = ${mode}
default_pool_size = ${poolSize}
max_client_conn = 500
`,
  )
  // As root it refuses to run; the other user has to read its files.
  chmodSync(folder, 0o755)
  const asUser = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn('pgbouncer', [...asUser, join(folder, 'pgbouncer.ini')], { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      printed += chunk
    })
  await vi.waitFor(() => expect(printed).toContain('process up'), { timeout: 10_000 })
  const url = new URL(database)
  url.hostname = '127.0.0.1'
  url.port = String(ownPort)
  url.pathname = pathname
  return {
    url: url.href,
    stop: async () => {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

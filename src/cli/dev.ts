import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { relative } from 'node:path'
import { defineCommand } from './command.ts'
import { noProject } from './errors.ts'
import { findProject, PROJECT_FILES } from './project.ts'
import { ADDRESS, portFrom } from './serve.ts'
import { watchSources } from './watch.ts'

export const command = defineCommand({
  takes: '[file]',
  most: 1,
  about: `Serves like "serve --playground", and starts again when a source file (.ts,
.js, .md) or .env in this folder changes.`,
  options: ADDRESS,
  async run({ values, positionals: [named] }, terminal) {
    portFrom(values.port, 'dev')
    const file = findProject(named)
    if (file === undefined) throw noProject(PROJECT_FILES)
    const address = Object.entries(values).flatMap(([key, value]) => [`--${key}`, String(value)])
    const start = () => {
      const args = [...process.execArgv, process.argv[1] as string, 'serve', file, '--playground', ...address]
      const server = spawn(process.execPath, args, { stdio: 'inherit' })
      server.once('exit', (code) => {
        if (code !== null && code !== 0) terminal.note('The server ended. It starts again when a source changes.')
      })
      return server
    }
    const leaving = new AbortController()
    const leave = () => leaving.abort()
    process.on('SIGINT', leave)
    process.on('SIGTERM', leave)
    const changes = watchSources(process.cwd(), leaving.signal)
    let server = start()
    try {
      for await (const changed of changes) {
        terminal.note(terminal.paint('dim', `${relative(process.cwd(), changed)} changed, starting again`))
        await stop(server)
        server = start()
      }
    } finally {
      await stop(server)
    }
    return 0
  },
})

/** Ends the server: a first signal lets it drain, a second one soon after ends it at once. */
async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const gone = once(server, 'exit')
  server.kill('SIGTERM')
  const impatient = setTimeout(() => server.kill('SIGTERM'), DRAIN_MS)
  const last = setTimeout(() => server.kill('SIGKILL'), 2 * DRAIN_MS)
  await gone
  clearTimeout(impatient)
  clearTimeout(last)
}

/** How long running streams may hold up a restart, in milliseconds. */
const DRAIN_MS = 500

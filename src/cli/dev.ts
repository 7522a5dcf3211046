/** The command `dev`: a server in its own process, restarted on changes. While the agency cannot be loaded, the page shows the reason. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { relative } from 'node:path'
import type { LoadFailure } from '../server/playground.ts'
import { defineCommand } from './command.ts'
import { type ServerReport, serveForDevelopment } from './dev-server.ts'
import { noProject } from './errors.ts'
import { findProject, PROJECT_FILES, readEnv } from './project.ts'
import { ADDRESS, readPort } from './serve.ts'
import { type StandIn, standIn } from './stand-in.ts'
import type { Terminal } from './terminal.ts'
import { watchSources } from './watch.ts'

/** Environment variable of the server process: the number of earlier starts. */
const STARTS = 'AGENCY_SWARM_DEV_STARTS'
/** How long running streams may delay a restart, in milliseconds. */
const DRAIN_MS = 500

export const command = defineCommand({
  usage: '[file]',
  maxPositionals: 1,
  about: `Serves with the playground, and restarts when a source file (.ts, .js, .md) or
.env in this folder changes; the page reloads the agencies. While only this
machine can connect, callers see the providers' own error texts.`,
  options: ADDRESS,
  async run({ values, positionals: [typedFile] }, terminal) {
    const starts = process.env[STARTS]
    if (starts !== undefined && process.send !== undefined)
      return serveForDevelopment(typedFile, values, {
        banner: starts === '0',
        report: (report) => void process.send?.(report),
      })
    readPort(values.port, 'dev')
    const file = findProject(typedFile)
    if (file === undefined) throw noProject(PROJECT_FILES)
    await new Development(file, values, terminal).run()
    return 0
  },
})

interface Address {
  host?: string | undefined
  port?: string | undefined
}

class Development {
  readonly #file: string
  readonly #typed: Address
  readonly #terminal: Terminal
  #starts = 0
  /** The address of the last server. A free port that it picked is used again, so that the page stays connected. */
  #bound: { host: string; port: number; anyPort: boolean } | undefined
  #server: ChildProcess | undefined
  #standIn: Promise<StandIn | undefined> | undefined

  constructor(file: string, typed: Address, terminal: Terminal) {
    this.#file = file
    this.#typed = typed
    this.#terminal = terminal
  }

  /** Runs until a signal arrives. */
  async run(): Promise<void> {
    const leaving = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => leaving.abort())
    const changes = watchSources(process.cwd(), leaving.signal)
    this.#start(undefined)
    try {
      for await (const changed of changes) {
        await this.#stop()
        this.#start(relative(process.cwd(), changed))
      }
    } finally {
      await this.#stop()
    }
  }

  #start(changed: string | undefined): void {
    const began = performance.now()
    const { host, port } = { ...this.#typed, ...(this.#bound?.anyPort && { port: String(this.#bound.port) }) }
    const address = Object.entries({ host, port }).flatMap(([key, value]) => (value ? [`--${key}`, value] : []))
    const args = [...process.execArgv, process.argv[1] as string, 'dev', this.#file, ...address]
    const server = spawn(process.execPath, args, {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, [STARTS]: String(this.#starts++) },
    })
    let failure: LoadFailure | undefined
    server.on('message', (report: ServerReport) => {
      if (report.kind === 'failed') failure = report.failure
      else {
        this.#bound = { ...report, anyPort: report.anyPort || this.#bound?.anyPort === true }
        if (changed !== undefined)
          this.#note('dim', `${changed} changed, restarted in ${Math.round(performance.now() - began)} ms`)
      }
    })
    server.once('exit', (code) => {
      if (code === null || code === 0 || this.#server !== server) return
      const said = failure ?? { message: `The server exited with code ${code}. See its output above.` }
      this.#terminal.note(
        `${this.#terminal.paint('red', 'error:')} ${said.message} The server restarts when a source file changes.`,
      )
      this.#standIn = this.#serveFailure(said).catch(() => undefined) // another program uses the port
    })
    this.#server = server
  }

  /** Listens at the address of the server and serves the playground with the reason. */
  async #serveFailure(failure: LoadFailure): Promise<StandIn> {
    if (this.#bound !== undefined) return standIn(this.#bound, failure)
    const env = { ...readEnv(), ...process.env }
    const host = this.#typed.host || env.HOST || '127.0.0.1'
    return standIn({ host, port: Number(this.#typed.port || env.PORT || 8000) }, failure)
  }

  /** Stops the server: the first signal lets it drain, a second one ends it at once. */
  async #stop(): Promise<void> {
    const server = this.#server as ChildProcess
    this.#server = undefined
    if (server.exitCode === null && server.signalCode === null) {
      const exited = once(server, 'exit')
      server.kill('SIGTERM')
      const second = setTimeout(() => server.kill('SIGTERM'), DRAIN_MS)
      const last = setTimeout(() => server.kill('SIGKILL'), 2 * DRAIN_MS)
      await exited
      clearTimeout(second)
      clearTimeout(last)
    }
    await (await this.#standIn)?.close()
    this.#standIn = undefined
  }

  #note(style: 'dim', line: string): void {
    this.#terminal.note(this.#terminal.paint(style, line))
  }
}

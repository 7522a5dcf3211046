/** The command `serve`: serves the agencies and tools of a file. */
import { defineCommand } from './command.ts'
import { wrongPort, wrongPortVariable, wrongWorkers } from './errors.ts'
import { loadEnv, loadProject } from './project.ts'

export const ADDRESS = {
  host: { type: 'string', value: 'address', about: 'Default HOST, or 127.0.0.1; 0.0.0.0: all addresses' },
  port: { type: 'string', short: 'p', value: 'number', about: 'Default PORT, or 8000; 0: any free port' },
} as const

/** The port of the command line, or of PORT; undefined without either. @throws CommandError for an invalid port */
export function readPort(typed: string | undefined, command: string): number | undefined {
  const { PORT } = process.env
  if (typed !== undefined && !isPort(typed)) throw wrongPort(typed, command)
  if (typed !== undefined) return Number(typed)
  if (PORT && !isPort(PORT)) throw wrongPortVariable(PORT)
  return PORT ? Number(PORT) : undefined
}

export const isPort = (text: string) => /^\d+$/.test(text) && Number(text) <= 65_535

/** The address of the command line, or of HOST and PORT in the environment or in .env. @throws CommandError for an invalid port */
export function readAddress(typed: { host?: string; port?: string }, command: string) {
  loadEnv()
  return { host: typed.host || process.env.HOST || undefined, port: readPort(typed.port, command) }
}

/** @throws CommandError for a text that is not a number of processes */
function readWorkers(typed: string | undefined): number | 'auto' | undefined {
  if (typed === undefined || typed === 'auto') return typed
  if (!/^[1-9]\d{0,2}$/.test(typed)) throw wrongWorkers(typed)
  return Number(typed)
}

export const command = defineCommand({
  usage: '[file]',
  maxPositionals: 1,
  about: `Serves the exports of a file: "agency", or "agencies" and "tools", or the
options of serve() as the default export. With APP_TOKEN in the environment or
in .env, callers must send it as a bearer token.`,
  options: {
    ...ADDRESS,
    workers: { type: 'string', value: 'number', about: 'Processes that share the port; auto: one per core' },
    playground: { type: 'boolean', about: 'Serve a page at / to try the agencies' },
  },
  async run({ values, positionals: [file] }, terminal) {
    const { host, port } = readAddress(values, 'serve')
    const workers = readWorkers(values.workers)
    const { options, library } = await terminal.during('Loading', loadProject(file))
    await library.serve({
      ...options,
      ...(workers === undefined ? {} : { workers }),
      ...(values.playground && !options.enableAgui ? { playground: true } : {}),
      host: host ?? options.host ?? '127.0.0.1',
      port: port ?? options.port ?? 8000,
    })
    return 0
  },
})

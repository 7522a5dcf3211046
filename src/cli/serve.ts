import { defineCommand } from './command.ts'
import { wrongPort, wrongPortVariable } from './errors.ts'
import { loadEnv, loadProject } from './project.ts'

export const ADDRESS = {
  host: { type: 'string', value: 'address', about: 'Default HOST, or 127.0.0.1; 0.0.0.0 is everywhere' },
  port: { type: 'string', short: 'p', value: 'number', about: 'Default PORT, or 8000; 0 picks a free one' },
} as const

/** The port that was typed, or that of PORT; undefined without either. @throws CommandError for what is no port */
export function portFrom(typed: string | undefined, command: string): number | undefined {
  const { PORT } = process.env
  if (typed !== undefined && !isPort(typed)) throw wrongPort(typed, command)
  if (typed !== undefined) return Number(typed)
  if (PORT && !isPort(PORT)) throw wrongPortVariable(PORT)
  return PORT ? Number(PORT) : undefined
}

export const isPort = (text: string) => /^\d+$/.test(text) && Number(text) <= 65_535

/** The address that was typed, or that of HOST and PORT in the environment or in .env. @throws CommandError for what is no port */
export function addressFrom(typed: { host?: string; port?: string }, command: string) {
  loadEnv()
  return { host: typed.host || process.env.HOST || undefined, port: portFrom(typed.port, command) }
}

export const command = defineCommand({
  takes: '[file]',
  most: 1,
  about: `Serves what the file exports: "agency", or "agencies" and "tools", or as default
the options of serve(). APP_TOKEN in the environment or in .env makes callers
bring a bearer token.`,
  options: { ...ADDRESS, playground: { type: 'boolean', about: 'A page at / to try the agencies' } },
  async run({ values, positionals: [file] }, terminal) {
    const { host, port } = addressFrom(values, 'serve')
    const { options, library } = await terminal.during('Loading', loadProject(file))
    await library.serve({
      ...options,
      ...(values.playground && !options.enableAgui ? { playground: true } : {}),
      host: host ?? options.host ?? '127.0.0.1',
      port: port ?? options.port ?? 8000,
    })
    return 0
  },
})

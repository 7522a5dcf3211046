import { defineCommand } from './command.ts'
import { loadEnv, loadProject } from './project.ts'

export const ADDRESS = {
  host: { type: 'string', value: 'address', about: 'Default HOST, or 127.0.0.1; 0.0.0.0 is everywhere' },
  port: { type: 'string', short: 'p', value: 'number', about: 'Default PORT, or 8000; 0 picks a free one' },
} as const

export const command = defineCommand({
  takes: '[file]',
  most: 1,
  about: `Serves what the file exports: "agency", or "agencies" and "tools", or as default
the options of serve(). APP_TOKEN in the environment or in .env makes callers
bring a bearer token.`,
  options: { ...ADDRESS, playground: { type: 'boolean', about: 'A page at / to try the agencies' } },
  async run({ values, positionals: [file] }, terminal) {
    loadEnv()
    const { options, library } = await terminal.during('Loading', loadProject(file))
    const { HOST, PORT } = process.env
    const port = values.port ?? (PORT || undefined)
    await library.serve({
      ...options,
      ...(values.playground && !options.enableAgui ? { playground: true } : {}),
      host: values.host ?? (HOST || undefined) ?? options.host ?? '127.0.0.1',
      port: port === undefined ? (options.port ?? 8000) : Number(port),
    })
    return 0
  },
})

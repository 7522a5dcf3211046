/** The command `worker`: works on the stored runs of a file's agencies. */
import { defineCommand } from './command.ts'
import { wrongPort } from './errors.ts'
import { loadEnv, loadProject } from './project.ts'
import { isPort } from './serve.ts'

export const command = defineCommand({
  usage: '[file]',
  maxPositionals: 1,
  about: `Works on the runs that API servers have put into the store of the file: its
default export has runs: { store: postgres(url) }. It serves no agencies, and
with --probes only /healthz, /readyz and, where the file has them, /metrics.`,
  options: {
    probes: { type: 'string', value: 'port', about: 'Serve health checks on this port' },
    host: { type: 'string', value: 'address', about: 'Of the health checks: default HOST, or 127.0.0.1' },
  },
  async run({ values: { probes, host }, positionals: [file] }, terminal) {
    if (probes !== undefined && !isPort(probes)) throw wrongPort(probes, 'worker', '--probes')
    loadEnv()
    const { options, library } = await terminal.during('Loading', loadProject(file))
    await library.startWorker({
      ...options,
      ...(probes !== undefined && { probes: { host: host || process.env.HOST || undefined, port: Number(probes) } }),
    })
    return 0
  },
})

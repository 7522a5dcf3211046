import { readFile } from 'node:fs/promises'
import { buildApp } from 'agency-swarm-js'
import { development, start } from '../run.ts'
import { agency } from './agency.ts'
import { steps } from './steps.ts'

const { host, port, exposeErrors = false } = development
const app = await buildApp({ agencies: { guide: agency }, exposeErrors })
const page = await readFile(new URL('index.html', import.meta.url), 'utf8')
app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(page))

await start(
  app.listen({ host, port }).then((url) => ({ url, close: () => app.close() })),
  steps,
)

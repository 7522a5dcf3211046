import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { buildApp } from 'agency-swarm-js'
import { ClientError, createClient } from 'agency-swarm-js/client'
import { build } from 'rolldown'
import { development, start } from '../run.ts'
import { agency } from './agency.ts'
import { steps } from './steps.ts'

/** The page in one file. Vite, Next.js or any other bundler does the same for you. */
async function bundlePage(): Promise<string> {
  const { output } = await build({
    input: fileURLToPath(new URL('page.tsx', import.meta.url)),
    platform: 'browser',
    transform: { jsx: { runtime: 'automatic' }, define: { 'process.env.NODE_ENV': '"production"' } },
    output: { minify: true },
    write: false,
  })
  return output[0].code
}

const { host, port, exposeErrors = false } = development
const token = randomUUID()
process.env.SHOP_TOKEN = token
const [page, script] = await Promise.all([readFile(new URL('index.html', import.meta.url), 'utf8'), bundlePage()])
const app = await buildApp({ agencies: { shop: agency }, appTokenEnv: 'SHOP_TOKEN', exposeErrors })
app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(page))
app.get('/page.js', (_request, reply) => reply.type('text/javascript; charset=utf-8').send(script))

/** Each visitor has one conversation. In your own back end the session of the visitor says which one. */
app.post('/ticket', async ({ headers }, reply) => {
  const known = /(?:^|; )visitor=([\w-]+)/.exec(headers.cookie ?? '')?.[1]
  const visitor = known ?? randomUUID()
  const { threads, tickets } = createClient({ baseUrl: app.listeningOrigin, token }).agency('shop')
  if (known === undefined) reply.header('set-cookie', `visitor=${visitor}; Path=/; HttpOnly; SameSite=Strict`)
  await threads.create({ thread_id: visitor }).catch((error: unknown) => {
    if (!(error instanceof ClientError && error.code === 'THREAD_EXISTS')) throw error
  })
  return tickets.create({ thread_id: visitor, verbs: ['watch', 'post', 'cancel', 'approve'] })
})

await start(
  app.listen({ host, port }).then((url) => {
    console.error(`Open ${url}`)
    return { url, close: () => app.close() }
  }),
  steps,
)

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { buildApp } from 'agency-swarm-js'
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
    logLevel: 'silent', // packages for Next.js mark their modules for it
    write: false,
  })
  return output[0].code
}

const { host, port, exposeErrors = false } = development
const [page, script] = await Promise.all([readFile(new URL('index.html', import.meta.url), 'utf8'), bundlePage()])
const app = await buildApp({ agencies: { shop: agency }, aiSdk: true, agui: true, exposeErrors })
app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(page))
app.get('/page.js', (_request, reply) => reply.type('text/javascript; charset=utf-8').send(script))

await start(
  app.listen({ host, port }).then((url) => {
    console.error(`Open ${url}`)
    return { url, close: () => app.close() }
  }),
  steps,
)

import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { once } from '../base/async.ts'
import type { Pricer } from '../models/pricing/prices.ts'
import { readTokens } from '../models/usage.ts'
import { RequestInvalid } from '../wire/requests.ts'
import { detailsFromZod } from '../wire/validation.ts'
import { sendJson } from './error-handler.ts'
import { assetHeaders, pageHeaders } from './pages.ts'

const ASSETS = new URL('../../assets/playground/', import.meta.url)
/** The files' names hold a hash of their contents. */
const FOR_EVER = 'max-age=31536000, immutable'
/** Styles come from files, pictures from messages, and no text ever becomes markup. */
const HEADERS = {
  ...pageHeaders("style-src 'self'; img-src 'self' data:; require-trusted-types-for 'script'; trusted-types 'none'"),
  'cache-control': 'no-cache',
}
const compress = promisify(gzip)

export interface PlaygroundOptions {
  /** The page asks once a second whether another process answers, and then reads the agencies again. */
  watch: boolean
  /** Why no agency can be served: shown in the page. */
  failure?: string
}

/**
 * The playground at `/` and its files at `/playground/<file>`, made by `npm run build -w playground`. Open without a token:
 * the page holds nothing, and what it asks of the API needs the token. Its addresses are relative, for prefixes and proxies.
 */
export function registerPlayground(app: FastifyInstance, { watch, failure }: PlaygroundOptions): void {
  const file = readFileSync(new URL('index.html', ASSETS), 'utf8')
  const page = watch ? file.replace('<html lang="en"', '<html lang="en" data-watch') : file
  const server = { id: randomUUID(), ...(failure === undefined ? {} : { failure }) }
  if (watch)
    app.get('/playground/server', async (_request, reply) =>
      sendJson(reply.header('cache-control', 'no-store'), 200, server),
    )
  app.get('/', async (request, reply) => {
    const path = request.url.split('?', 1)[0] as string
    // Under a prefix the relative addresses need the slash at the end.
    if (!path.endsWith('/'))
      return reply
        .code(307)
        .header('location', `./${path.split('/').at(-1)}/`)
        .send()
    return reply.headers(HEADERS).send(page)
  })
  for (const file of readdirSync(new URL('playground/', ASSETS))) {
    const content = readFileSync(new URL(`playground/${file}`, ASSETS))
    const compressed = once(() => compress(content))
    app.get(`/playground/${file}`, async (request: FastifyRequest, reply: FastifyReply) => {
      reply.headers({ ...assetHeaders(file, FOR_EVER), vary: 'Accept-Encoding' })
      if (!/\bgzip\b(?!\s*;\s*q=0(\.0*)?\b)/.test(String(request.headers['accept-encoding'])))
        return reply.send(content)
      return reply.header('content-encoding', 'gzip').send(await compressed())
    })
  }
}

const costs = z.object({
  responses: z.array(z.object({ model: z.string().max(200), usage: z.record(z.string(), z.unknown()) })).max(1_000),
})

/**
 * `POST /playground/costs`: what responses of models cost, in US dollars, in the order in which they are named. A run's total
 * comes with its stream; this tells the page which agent it went to while the run goes on.
 */
export function registerCosts(api: FastifyInstance, price: Pricer): void {
  api.post('/playground/costs', async (request, reply) => {
    const asked = costs.safeParse(request.body)
    if (!asked.success) throw new RequestInvalid(detailsFromZod(asked.error.issues, request.body, ['body']))
    return sendJson(reply, 200, {
      costs: asked.data.responses.map(({ model, usage }) => price(model, readTokens(usage))),
    })
  })
}

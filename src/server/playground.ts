/** The playground: its page and files. */
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { once } from '../base/async.ts'
import { sendJson } from './error-handler.ts'
import { acceptsGzip, assetHeaders, compress, pageHeaders } from './pages.ts'

const ASSETS = new URL('../../assets/playground/', import.meta.url)
/** For files whose names contain a hash of their contents. */
const CACHE_FOREVER = 'max-age=31536000, immutable'
/** Allows styles from files and pictures from messages; no text can become markup. */
const HEADERS = {
  ...pageHeaders("style-src 'self'; img-src 'self' data:; require-trusted-types-for 'script'; trusted-types 'none'"),
  'cache-control': 'no-cache',
}

export interface PlaygroundOptions {
  /** The page checks once a second whether the server was restarted, and then reads the agencies again. */
  watch: boolean
  /** The reason why no agency can be served, shown on the page. */
  failure?: LoadFailure
}

/** Why a file cannot be served. */
export interface LoadFailure {
  message: string
  /** Where it went wrong, such as `agency.ts:3`, and the lines around it. */
  place?: string
  lines?: readonly { number: number; text: string; isPlace: boolean }[]
}

/**
 * The playground at `/` and its files at `/playground/<file>`, built by `npm run build -w playground`. They need no token: the
 * page contains no data, and its API calls need the token. Addresses are relative, so that prefixes and proxies work.
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
    // Under a prefix, relative addresses only resolve correctly with a trailing slash.
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
      reply.headers({ ...assetHeaders(file, CACHE_FOREVER), vary: 'Accept-Encoding' })
      if (!acceptsGzip(request.headers['accept-encoding'])) return reply.send(content)
      return reply.header('content-encoding', 'gzip').send(await compressed())
    })
  }
}

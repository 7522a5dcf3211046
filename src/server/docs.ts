/** The pages that show the OpenAPI document, and the document itself. */
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { once } from '../base/async.ts'
import type { JsonObject } from '../wire/json.ts'
import { acceptsGzip, assetHeaders, compress, pageHeaders } from './pages.ts'

const ASSETS = new URL('../../assets/docs/', import.meta.url)
/** Addresses of the server for which the compressed document is kept. */
const MOST_COMPRESSED = 8
/** Both renderers write inline styles, and the search of Redoc runs in a worker. */
const PAGE_HEADERS = pageHeaders(
  "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:",
)

const renderPage = (
  title: string,
  folder: string,
  styles: readonly string[],
  scripts: readonly string[],
) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
${styles.map((file) => `<link rel="stylesheet" href="${folder}/${file}">`).join('\n')}
</head>
<body>
<div id="page"></div>
${scripts.map((file) => `<script src="${folder}/${file}"></script>`).join('\n')}
</body>
</html>
`

/**
 * Serves `/openapi.json`, `/docs` (Swagger UI) and `/redoc` from files of this package. Addresses are relative, so that prefixes
 * work. The files are read into memory at the start of the server and the document is made when it is first asked for; all
 * responses share these bytes.
 * @param serverUrl the server's address in the document; without it, the address that the client used
 */
export function registerDocs(app: FastifyInstance, describe: () => JsonObject, serverUrl: string | undefined): void {
  const parts = once(async () => splitAtServer(describe()))
  const known = new Map<string, () => Promise<Buffer>>()
  /** The compressed document, kept by address; undefined for addresses beyond `MOST_COMPRESSED`: clients choose their Host. */
  const compressed = (url: Buffer) => {
    const key = url.toString()
    if (!known.has(key) && known.size < MOST_COMPRESSED)
      known.set(
        key,
        once(async () => {
          const [before, after] = await parts()
          return compress(Buffer.concat([before, url, after]))
        }),
      )
    return known.get(key)?.()
  }
  app.get('/openapi.json', async (request, reply) => {
    const url = Buffer.from(JSON.stringify(serverUrl ?? `${request.protocol}://${request.host}${app.prefix}`))
    reply.headers({ 'content-type': 'application/json', vary: 'Accept-Encoding' })
    const small = acceptsGzip(request.headers['accept-encoding']) ? compressed(url) : undefined
    if (small !== undefined) return reply.header('content-encoding', 'gzip').send(await small)
    const [before, after] = await parts()
    reply.header('content-length', before.length + url.length + after.length)
    return reply.send(Readable.from([before, url, after], { objectMode: false }))
  })
  const addPage = (path: string, title: string, styles: readonly string[], scripts: readonly string[]) => {
    const html = renderPage(title, path.slice(1), styles, scripts)
    app.get(path, async (_request, reply) => reply.headers(PAGE_HEADERS).send(html))
    for (const file of [...styles, ...scripts]) {
      const content = readFileSync(new URL(file, ASSETS))
      const headers = assetHeaders(file, 'max-age=3600')
      app.get(`${path}/${file}`, async (_request, reply) => reply.headers(headers).send(content))
    }
  }
  addPage('/docs', 'API: Swagger UI', ['swagger-ui.css'], ['swagger-ui-bundle.js', 'plain-text.js', 'swagger-start.js'])
  addPage('/redoc', 'API: ReDoc', [], ['redoc.standalone.js', 'plain-text.js', 'redoc-start.js'])
}

/** The document as JSON in two parts: before and after the address of the server. */
function splitAtServer(document: JsonObject): [before: Buffer, after: Buffer] {
  const { servers: _, ...rest } = document
  return [Buffer.from('{"servers":[{"url":'), Buffer.from(`}],${JSON.stringify(rest).slice(1)}`)]
}

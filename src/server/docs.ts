import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { JsonObject } from '../wire/json.ts'
import { assetHeaders, pageHeaders } from './pages.ts'

const ASSETS = new URL('../../assets/docs/', import.meta.url)
/** Both renderers write inline styles; Redoc's search is a worker. */
const PAGE_HEADERS = pageHeaders(
  "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:",
)

const page = (title: string, folder: string, styles: readonly string[], scripts: readonly string[]) => `<!doctype html>
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
 * `/openapi.json`, `/docs` (Swagger UI) and `/redoc`, from files of this package; addresses are relative, for prefixes. Files
 * are read and the document is written once, when the server is made: however many answers are under way, they share these bytes.
 * `serverUrl` undefined: the address that the reader used.
 */
export function registerDocs(app: FastifyInstance, document: JsonObject, serverUrl: string | undefined): void {
  const [before, after] = writeAround(document)
  app.get('/openapi.json', async (request, reply) => {
    const url = Buffer.from(JSON.stringify(serverUrl ?? `${request.protocol}://${request.host}${app.prefix}`))
    const length = before.length + url.length + after.length
    reply.headers({ 'content-type': 'application/json', 'content-length': length })
    return reply.send(Readable.from([before, url, after], { objectMode: false }))
  })
  const addPage = (path: string, title: string, styles: readonly string[], scripts: readonly string[]) => {
    const html = page(title, path.slice(1), styles, scripts)
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

/** The document as JSON, without the server's address: what stands before it and what follows it. */
function writeAround(document: JsonObject): [before: Buffer, after: Buffer] {
  const { servers: _, ...rest } = document
  return [Buffer.from('{"servers":[{"url":'), Buffer.from(`}],${JSON.stringify(rest).slice(1)}`)]
}

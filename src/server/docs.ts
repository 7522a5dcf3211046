import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { JsonObject } from '../wire/json.ts'
import { sendJson } from './error-handler.ts'
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
 * `/openapi.json`, `/docs` (Swagger UI) and `/redoc`, from files of this package; addresses are relative, for prefixes.
 * `serverUrl` undefined: the address that the reader used.
 */
export function registerDocs(app: FastifyInstance, document: JsonObject, serverUrl: string | undefined): void {
  app.get('/openapi.json', async (request, reply) => {
    const url = serverUrl ?? `${request.protocol}://${request.host}${app.prefix}`
    return sendJson(reply, 200, { ...document, servers: [{ url }] })
  })
  const addPage = (path: string, title: string, styles: readonly string[], scripts: readonly string[]) => {
    const html = page(title, path.slice(1), styles, scripts)
    app.get(path, async (_request, reply) => reply.headers(PAGE_HEADERS).send(html))
    for (const file of [...styles, ...scripts]) app.get(`${path}/${file}`, (_request, reply) => sendAsset(reply, file))
  }
  addPage('/docs', 'API: Swagger UI', ['swagger-ui.css'], ['swagger-ui-bundle.js', 'swagger-start.js'])
  addPage('/redoc', 'API: ReDoc', [], ['redoc.standalone.js', 'redoc-start.js'])
}

/** One of the files named above; nothing of the request enters its path. */
async function sendAsset(reply: FastifyReply, file: string) {
  const url = new URL(file, ASSETS)
  const { size } = await stat(url)
  return reply.headers({ ...assetHeaders(file, 'max-age=3600'), 'content-length': size }).send(createReadStream(url))
}

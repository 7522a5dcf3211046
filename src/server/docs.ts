import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Services } from '../services.ts'
import { sendJson } from './error-handler.ts'
import { describeApi } from './openapi.ts'
import type { RateLimitOptions } from './rate-limit.ts'

const ASSETS = new URL('../../assets/docs/', import.meta.url)
const TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' }

/** The pages load nothing from elsewhere and may be framed by nobody. Both renderers write inline styles; Redoc's search is a worker. */
const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

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

export interface DocsOptions {
  services: Services
  /** The address in the OpenAPI document; undefined: the one the reader used. */
  serverUrl: string | undefined
  token: string | undefined
  /** Undefined: callers may ask as often as they like. */
  rateLimit: RateLimitOptions | undefined
}

/** `/openapi.json`, `/docs` (Swagger UI) and `/redoc`, from files of this package; addresses are relative, for prefixes. */
export function registerDocs(app: FastifyInstance, { services, serverUrl, token, rateLimit }: DocsOptions): void {
  const document = describeApi(services, '/', { token: token !== undefined, rateLimit: rateLimit !== undefined })
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
  return reply
    .headers({
      'content-type': TYPES[file.endsWith('.css') ? 'css' : 'js'],
      'content-length': size,
      'cache-control': 'public, max-age=3600',
      'x-content-type-options': 'nosniff',
    })
    .send(createReadStream(url))
}

// Upstream stand-in for the golden recorder.
//   node mock.mjs --port 18100 --aimock-port 18101 --fixtures a.json --fixtures b.json
// One front port serves: (1) the OpenAI-style API, passed through to aimock after noting the raw request;
// (2) /static/<name>: small files used by file_urls; (3) /__rec/take: returns and clears the noted requests.
// AIMOCK_MODULE may name the module to import (default "@copilotkit/aimock").

import { readFileSync } from 'node:fs'
import http from 'node:http'

const args = process.argv.slice(2)
const all = (n) => args.flatMap((a, i) => (a === n ? [args[i + 1]] : []))
const one = (n, d) => all(n)[0] ?? d
const port = Number(one('--port', '18100'))
const aport = Number(one('--aimock-port', String(port + 1)))
const { LLMock } = await import(process.env.AIMOCK_MODULE ?? '@copilotkit/aimock')
const mock = new LLMock({ port: aport, host: '127.0.0.1', logLevel: 'warn', strict: true, chunkSize: 16 })
for (const f of all('--fixtures')) mock.addFixturesFromJSON(JSON.parse(readFileSync(f, 'utf8')).fixtures)
await mock.start()

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const pdf = Buffer.from(
  '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n',
)
const files = {
  'report.pdf': [pdf, 'application/pdf'],
  'pixel.png': [png, 'image/png'],
  'data.csv': [Buffer.from('a,b\n1,2\n'), 'text/csv'],
  'notes.txt': [Buffer.from('plain notes\n'), 'text/plain'],
  noext: [png, 'image/png'],
  blob: [Buffer.from('hello'), 'application/octet-stream'],
  'movie.mp4': [Buffer.from('not really a movie'), 'video/mp4'],
}
const KEEP = ['authorization', 'content-type', 'x-extra', 'openai-organization', 'user-agent']
let seen = []
const describe = (req, body) => {
  const h = {}
  for (const k of KEEP)
    if (req.headers[k] && k !== 'user-agent') h[k] = String(req.headers[k]).replace(/boundary=.*/, 'boundary=...')
  let b
  const type = String(req.headers['content-type'] ?? '')
  if (type.includes('json')) {
    try {
      b = JSON.parse(body.toString('utf8'))
    } catch {
      b = body.toString('utf8')
    }
  } else if (type.startsWith('multipart/')) {
    const t = body.toString('latin1')
    b = {
      multipart: {
        purpose: /name="purpose"[^]*?\r\n\r\n([^\r]*)/.exec(t)?.[1],
        filename: /filename="([^"]*)"/.exec(t)?.[1],
        bytes: body.length,
      },
    }
  }
  return { method: req.method, path: req.url, headers: h, body: b }
}
http
  .createServer((req, res) => {
    const url = new URL(req.url, 'http://x')
    if (url.pathname === '/__rec/take') {
      const out = seen
      seen = []
      mock.resetMatchCounts()
      res.setHeader('content-type', 'application/json')
      return res.end(JSON.stringify(out))
    }
    if (url.pathname.startsWith('/static/')) {
      const hit = files[url.pathname.slice(8)]
      seen.push({ method: req.method, path: req.url, headers: { 'user-agent': req.headers['user-agent'] } })
      if (!hit) {
        res.statusCode = 404
        return res.end('missing')
      }
      res.setHeader('content-type', hit[1])
      return res.end(hit[0])
    }
    const chunks = []
    req.on('data', (c) => chunks.push(c))
    req.on('end', () => {
      const body = Buffer.concat(chunks)
      const note = describe(req, body)
      seen.push(note)
      const headers = { ...req.headers, host: `127.0.0.1:${aport}`, 'content-length': String(body.length) }
      delete headers['transfer-encoding']
      const up = http.request({ host: '127.0.0.1', port: aport, method: req.method, path: req.url, headers }, (r) => {
        note.status = r.statusCode
        res.writeHead(r.statusCode, r.headers)
        r.pipe(res)
      })
      up.on('error', (e) => {
        res.statusCode = 502
        res.end(String(e))
      })
      res.on('close', () => {
        if (!res.writableFinished) {
          note.client_gone = true
          up.destroy()
        }
      })
      up.end(body)
    })
  })
  .listen(port, '127.0.0.1', () => console.log(`ready ${port}`))
process.on('SIGTERM', () => process.exit(0))

// (b) Raw limits: bare Node http, one upstream connection pool, no framework.
//   MODE=pipe      bytes from upstream straight to the client, nothing parsed
//   MODE=envelope  every upstream SSE event parsed (JSON.parse), every leaf turned into a string, re-framed in
//                  the nested {"data":{"data":...}} envelope, written one event at a time, plus meta/messages/end
//   MODE=fast      as envelope, but text deltas take a template path and all events of one upstream chunk go out in one write

import { randomUUID } from 'node:crypto'
import http from 'node:http'
import { AGENT_UPDATED, frame, messagesFrame, RUN_ITEM, SseParser, stringifyLeaves } from '../lib/wire.mjs'

const MODE = process.env.MODE ?? 'pipe'
const up = new URL(`${process.env.OPENAI_BASE_URL ?? 'http://127.0.0.1:8080/v1'}/responses`)
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 256, scheduling: 'lifo' })
const reqOpts = { host: up.hostname, port: up.port, path: up.pathname, method: 'POST', agent }
const META = Buffer.from(JSON.stringify({ nodes: [], edges: [], metadata: { agencyName: 'bench' } }))
const SSE_HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  connection: 'keep-alive',
  'x-accel-buffering': 'no',
}

const server = http.createServer({ keepAliveTimeout: 120000, requestTimeout: 0 }, (req, res) => {
  if (req.method === 'GET') {
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': META.length })
    res.end(META)
    return
  }
  const chunks = []
  req.on('data', (c) => chunks.push(c))
  req.on('end', () => {
    const body = JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))
    if (req.url.startsWith('/tool/')) {
      res.writeHead(200, { 'content-type': 'application/json' })
      res.end(JSON.stringify({ response: `echo: ${body.text}` }))
      return
    }
    const stream = req.url.endsWith('_stream')
    const payload = Buffer.from(
      JSON.stringify({ model: 'gpt-5-mini', stream, input: [{ role: 'user', content: body.message }] }),
    )
    const u = http.request(
      {
        ...reqOpts,
        headers: { 'content-type': 'application/json', authorization: 'Bearer x', 'content-length': payload.length },
      },
      (ur) => {
        if (!stream) {
          if (MODE === 'pipe') {
            res.writeHead(ur.statusCode, { 'content-type': 'application/json' })
            ur.pipe(res)
            return
          }
          const cs = []
          ur.on('data', (c) => cs.push(c))
          ur.on('end', () => {
            const r = JSON.parse(Buffer.concat(cs))
            const t = r.output.find((o) => o.type === 'message')?.content[0].text ?? ''
            res.writeHead(200, { 'content-type': 'application/json' })
            res.end(JSON.stringify({ response: t, new_messages: r.output, usage: r.usage }))
          })
          return
        }
        res.writeHead(200, SSE_HEAD)
        if (MODE === 'pipe') {
          ur.pipe(res)
          return
        }
        const runId = randomUUID()
        const ctx = { agent: 'Assistant', runId: `agent_run_${runId}` }
        res.write(`event: meta\ndata: {"run_id": "${runId}"}\n\n${AGENT_UPDATED}`)
        let last
        let out = ''
        const batch = MODE === 'fast'
        const p = new SseParser((data) => {
          const ev = JSON.parse(data)
          let s
          if (batch && ev.type === 'response.output_text.delta') s = frame.delta(ev, ctx)
          else s = frame.raw(stringifyLeaves(ev), ctx)
          if (ev.type === 'response.completed') last = ev.response
          if (batch) out += s
          else res.write(s)
        })
        ur.on('data', (c) => {
          p.push(c)
          if (batch && out) {
            res.write(out)
            out = ''
          }
        })
        ur.on('end', () => {
          res.end(RUN_ITEM + messagesFrame(runId, last))
        })
      },
    )
    u.on('error', () => {
      res.destroy()
    })
    res.on('close', () => {
      if (!res.writableFinished) u.destroy()
    })
    u.end(payload)
  })
})
server.listen({ port: +process.env.PORT, host: '127.0.0.1', backlog: 4096 })

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { createFetch } from './http.ts'
import { withTraceHeaders } from './trace-headers.ts'

const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }

test.for([
  [{ trusted: true }, false, headers.traceparent],
  [{ trusted: false }, false, undefined],
  [{}, false, undefined],
  [{ trusted: false }, true, headers.traceparent],
] as const)(
  'a fetch made with %j sends the headers, with everywhere: %s: %s',
  async ([trust, everywhere, expected]) => {
    const seen: (string | undefined)[] = []
    const server = http.createServer((request, response) => {
      seen.push(request.headers.traceparent as string | undefined)
      response.end('{}')
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const agent = new Agent()
    onTestFinished(async () => {
      await agent.close()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const send = createFetch(async () => agent, trust)
    await withTraceHeaders({ headers, everywhere }, async () => (await send(url)).text())
    await (await send(url)).text()
    await withTraceHeaders({ headers, everywhere }, async () =>
      (await send(url, { headers: { traceparent: 'as the caller wants it' } })).text(),
    )
    expect(seen).toEqual([expected, undefined, 'as the caller wants it'])
  },
)

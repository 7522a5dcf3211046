/** A TCP proxy that cuts event streams after a number of blocks, at a block's end or in the middle of the next. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What happens to one connection: `blocks` pass whole, then it is cut, `inside` the next block when there is one. */
export type Cut = { blocks: number; inside?: boolean } | 'pass' | 'swallow'

const BLOCK_END = Buffer.from('\n\n')

/**
 * `plan` decides for each event stream by its number, 0 first; other answers pass. Waits that the server asks for (`retry: 1000`)
 * become 100 ms. `swallow` lets a request reach the server and drops the connection when the answer begins.
 */
export async function startCuttingProxy(target: string, plan: (stream: number) => Cut) {
  const { port, hostname } = new URL(target)
  let streams = 0
  const sockets = new Set<net.Socket>()
  const keep = (socket: net.Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(port), hostname)
    keep(client)
    keep(upstream)
    client.pipe(upstream)
    let cut: Cut = 'pass'
    let blocks = 0
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    upstream.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1')
      if (text.startsWith('HTTP/1.1')) {
        cut = /content-type: text\/event-stream/i.test(text) ? plan(streams++) : 'pass'
        blocks = 0
      }
      if (cut === 'swallow') return end()
      const bytes = Buffer.from(text.replace('retry: 1000\n', 'retry: 0100\n'), 'latin1')
      if (cut === 'pass') return void client.write(bytes)
      for (let at = bytes.indexOf(BLOCK_END); at >= 0; at = bytes.indexOf(BLOCK_END, at + 2)) {
        if (++blocks < cut.blocks) continue
        const to = cut.inside === true ? Math.min(at + 2 + 20, bytes.length) : at + 2
        client.end(bytes.subarray(0, to), end)
        return
      }
      client.write(bytes)
    })
    upstream.once('close', () => client.destroy())
    client.once('close', () => upstream.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, streams: () => streams }
}

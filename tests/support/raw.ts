import { connect, type Socket } from 'node:net'

/** A connection to a server of ours; what it sent so far is in `text()`. */
export function open(url: string) {
  const { hostname, port } = new URL(url)
  const socket: Socket = connect(Number(port), hostname)
  let received = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    received += chunk
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', () => {}) // a connection that is cut is an answer too
  return { socket, closed, text: () => received }
}

/** Sends bytes as they are and gives everything that came back until the connection closed. */
export async function exchange(url: string, bytes: string | Buffer): Promise<string> {
  const { socket, closed, text } = open(url)
  socket.write(bytes)
  await closed
  return text()
}

export const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0)
export const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)

/** A request as bytes; the connection is closed after its answer. */
export function toRequest(
  path: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
  method = 'POST',
): Buffer {
  const all = {
    Host: 'localhost',
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([
    Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'),
    Buffer.from(body),
  ])
}

import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Limits } from '../base/limits.ts'

/** The part of the file descriptors that callers may take; runs need the rest for models and files. */
const SHARE_OF_DESCRIPTORS = 1 / 2
/** The part of all connections that one address may take. */
const SHARE_OF_PEER = 3 / 4

/**
 * Bounds the connections of a server, in total and per address. One too many is closed before it is read; one from an address
 * that has too many gets 503.
 */
export function limitConnections(
  server: Server,
  limits: Pick<Limits, 'connections' | 'peerConnections'>,
  descriptors = readDescriptorLimit(),
): void {
  const total = Math.max(1, Math.floor(Math.min(limits.connections, descriptors * SHARE_OF_DESCRIPTORS)))
  const perPeer = Math.max(1, Math.floor(Math.min(limits.peerConnections, total * SHARE_OF_PEER)))
  server.maxConnections = total
  const counts = new Map<string, number>()
  server.prependListener('connection', (socket: Socket) => {
    const peer = peerOf(socket.remoteAddress)
    if (peer === '') return // a Unix socket: callers cannot be distinguished
    const count = (counts.get(peer) ?? 0) + 1
    counts.set(peer, count)
    socket.once('close', () => {
      const left = (counts.get(peer) ?? 0) - 1
      if (left === 0) counts.delete(peer)
      else counts.set(peer, left)
    })
    if (count > perPeer) refuse(socket)
  })
}

function refuse(socket: Socket): void {
  const body = JSON.stringify({ detail: 'Too many connections from this address.' })
  socket.on('error', () => {}) // it may be gone already
  socket.write(
    `HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nRetry-After: 2\r\nConnection: close\r\n\r\n${body}`,
  )
  socket.destroySoon()
}

/** Who is one peer: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber gets. Empty where there is none. */
export function peerOf(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) return ''
  const read = ipaddr.process(address)
  return read instanceof ipaddr.IPv6 ? `${read.parts.slice(0, 4).join(':')}/64` : read.toString()
}

/** How many files and sockets this process may have open; infinite where the system does not say. */
function readDescriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return Number(soft ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY // no Linux: Node has raised the limit as far as it goes
  }
}

import { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Limits } from '../base/limits.ts'
import { peerOf } from './connections.ts'

/**
 * Answers the requests of one connection one after the other: a request waits until the answer before it has been taken. Node
 * hands over every request of a chunk at once (64 KiB hold two thousand) and would keep their answers in memory for a client
 * that reads nothing. A connection with more than `pipelinedRequests` waiting is not read, and cut when its peer has more than
 * `peerPipelinedRequests` in all.
 */
export function answerInTurn(
  scope: FastifyInstance,
  { pipelinedRequests, peerPipelinedRequests }: Pick<Limits, 'pipelinedRequests' | 'peerPipelinedRequests'>,
): void {
  const ofConnection = new Tally<Socket>()
  const ofPeer = new Tally<string>()
  scope.addHook('onRequest', ({ raw }, { raw: response }, done) => {
    const { socket } = raw
    // Node gives a response its socket when its turn comes. Injected requests have no connection.
    if (response.socket !== null || !(socket instanceof Socket)) return done()
    if (socket.destroyed) return void response.emit('close') // cut below; the rest of its chunk still comes
    const peer = peerOf(socket.remoteAddress)
    const leave = () => {
      response.off('socket', begin)
      raw.off('close', end)
      ofPeer.add(peer, -1)
      if (ofConnection.add(socket, -1) === pipelinedRequests) socket.resume()
    }
    const begin = () => {
      leave()
      done()
    }
    const end = () => {
      leave()
      response.emit('close') // Node does not tell a response that never had its socket
    }
    response.once('socket', begin)
    raw.once('close', end)
    const others = ofPeer.add(peer, 1)
    if (ofConnection.add(socket, 1) <= pipelinedRequests) return
    socket.pause()
    if (others > peerPipelinedRequests) socket.destroy()
  })
}

/** Counts per key; a key at zero takes no memory. */
class Tally<Key> {
  readonly #counts = new Map<Key, number>()
  /** The count after the change. */
  add(key: Key, change: number): number {
    const count = (this.#counts.get(key) ?? 0) + change
    if (count === 0) this.#counts.delete(key)
    else this.#counts.set(key, count)
    return count
  }
}

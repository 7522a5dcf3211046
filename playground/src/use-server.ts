import { type AgencyMetadata, ClientError } from 'agency-swarm-js/client'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { describeFailure, type Failure } from './run/failure.ts'
import { connect, keepToken, readToken } from './server.ts'

/** What the page knows of the server it came from. `locked`: it wants a token; `refused` says that the one given was wrong. */
export type ServerState =
  | { phase: 'loading' }
  | { phase: 'locked'; refused: boolean }
  | { phase: 'failed'; failure: Failure }
  | { phase: 'ready'; agencies: ReadonlyMap<string, AgencyMetadata> }

/** Finds the agencies in the server's OpenAPI document, and what each is made of. */
export function useServer() {
  const [state, setState] = useState<ServerState>({ phase: 'loading' })
  const client = useMemo(connect, [])

  const load = useCallback(async () => {
    try {
      const names = await client.agencies()
      const all = await Promise.all(names.map(async (name) => [name, await client.agency(name).metadata()] as const))
      setState({ phase: 'ready', agencies: new Map(all) })
    } catch (error) {
      const locked = error instanceof ClientError && error.kind === 'unauthorized'
      setState(
        locked
          ? { phase: 'locked', refused: readToken() !== undefined }
          : { phase: 'failed', failure: describeFailure(error) },
      )
    }
  }, [client])

  useEffect(() => void load(), [load])

  const unlock = useCallback(
    (token: string) => {
      keepToken(token)
      setState({ phase: 'locked', refused: false }) // so that a second refusal is told anew
      void load()
    },
    [load],
  )
  const lock = useCallback(() => setState({ phase: 'locked', refused: true }), [])
  return { client, state, load, unlock, lock }
}

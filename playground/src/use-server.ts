/** Loads the server's agencies. */
import { type AgencyMetadata, ClientError } from 'agency-swarm-js/client'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { describeFailure, type Failure } from './run/failure.ts'
import { askPage, connect, keepToken, readToken } from './server.ts'

/** State of the server this page came from. `locked` means that it requires a token; `refused` that the entered one was wrong. */
export type ServerState =
  | { phase: 'loading' }
  | { phase: 'locked'; refused: boolean }
  | { phase: 'failed'; failure: Failure }
  | { phase: 'ready'; served: Served }

/** What the server has. */
export interface Served {
  agencies: ReadonlyMap<string, AgencyMetadata>
  /** Agencies whose conversations the server keeps, as threads. */
  threads: readonly string[]
  /** Standalone tools. */
  tools: readonly ServedTool[]
}

export interface ServedTool {
  name: string
  description: string
  parameters: { [name: string]: unknown }
}

/** Loads the agencies from the server's OpenAPI document, and the metadata of each. */
export function useServer() {
  const [state, setState] = useState<ServerState>({ phase: 'loading' })
  const client = useMemo(connect, [])

  const load = useCallback(async () => {
    try {
      const names = await client.agencies()
      const [features, ...all] = await Promise.all([
        askPage<Pick<Served, 'threads' | 'tools'>>('features'),
        ...names.map(async (name) => [name, await client.agency(name).metadata()] as const),
      ])
      setState({ phase: 'ready', served: { agencies: new Map(all), ...features } })
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
      setState({ phase: 'locked', refused: false }) // so that a second refusal is announced again
      void load()
    },
    [load],
  )
  const lock = useCallback(() => setState({ phase: 'locked', refused: true }), [])
  return { client, state, load, unlock, lock }
}

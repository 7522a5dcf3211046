/** An agent as its model gets it. */
import { ClientError } from 'agency-swarm-js/client'
import { useEffect, useState } from 'react'
import { askPage } from '../server.ts'

type Json = { [name: string]: unknown }

export interface AgentTool {
  name: string
  description: string
  parameters: Json
  strict: boolean
  /** `own`, `message`, `handoff`, or the label of an MCP server. */
  from: string
  needs_approval: boolean
  /** The tool can be run from the page. */
  runs: boolean
  /** Other agents that it reaches. */
  reaches: string[]
}

export interface AgentView {
  agent: string
  description: string
  /** Null when there are none, or when they could not be made: see `problems`. */
  instructions: string | null
  /** A function makes the instructions anew for each model call. */
  dynamic: boolean
  model: string
  settings: Json
  tools: AgentTool[]
  hosted_tools: Json[]
  output_schema: Json | null
  reached_from: string[]
  problems: string[]
}

type Asked = { key: string; view?: AgentView; problem?: string }

/** Undefined until the server has answered; `agent` undefined asks for nothing. */
export function useAgentView(agency: string, agent: string | undefined, onLocked: () => void) {
  const [asked, setAsked] = useState<Asked>()
  const key = `${agency}\n${agent}`
  useEffect(() => {
    if (agent === undefined) return undefined
    const leaving = new AbortController()
    const path = `agent?agency=${encodeURIComponent(agency)}&agent=${encodeURIComponent(agent)}`
    askPage<AgentView>(path, undefined, leaving.signal).then(
      (view) => setAsked({ key, view }),
      (error: unknown) => {
        if (leaving.signal.aborted) return
        if (error instanceof ClientError && error.kind === 'unauthorized') onLocked()
        setAsked({ key, problem: (error as Error).message })
      },
    )
    return () => leaving.abort()
  }, [agency, agent, key, onLocked])
  return asked?.key === key ? asked : { key }
}

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { onTestFinished } from 'vitest'
import { Agency, Agent, type ServeOptions } from '../../src/index.ts'
import { startServer, useUpstream } from './client.ts'
import { lookUp } from './order-tool.ts'
import type { Turn } from './upstream.ts'

/** A server with a door, whose model is scripted. */
export async function startDoor(script: (index: number) => Turn, options: ServeOptions = {}) {
  const upstream = await useUpstream((_body, index) => script(index))
  const support = new Agent({ name: 'Support', description: 'Answers', model: 'gpt-5-mini', tools: [lookUp] })
  const agencies = { 'help desk': new Agency(support, { name: 'help desk' }) }
  const server = await startServer({ agencies, tools: [lookUp], mcp: true, ...options })
  return { ...server, upstream, mcp: `${server.url}/mcp` }
}

/** Both protocols: with a session, and without. */
export const ERAS = ['2025-11-25', '2026-07-28'] as const
export type Era = (typeof ERAS)[number]

export async function connect(url: string, era: Era, headers: Record<string, string> = {}) {
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  const client = new Client(
    { name: 'test', version: '1.0.0' },
    era === '2026-07-28' ? { versionNegotiation: { mode: { pin: era } } } : {},
  )
  await client.connect(transport)
  onTestFinished(() => client.close())
  return { client, transport }
}

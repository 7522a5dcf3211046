/** Opens the way to an MCP server with the official client, which is loaded at first use. */
import type { Transport } from '@modelcontextprotocol/client'
import { Budget } from '../../base/budget.ts'
import { WEB_COPIES } from '../../net/answers.ts'
import { createFetch, toWebFetch } from '../../net/http.ts'
import type { McpAddress, McpCommand, McpServerConfig } from './config.ts'
import { loadClient } from './load-client.ts'
import type { Login } from './oauth/login.ts'

/** Largest message of a server, in bytes: the client looks through all that has come at every piece of it. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024
/** How much of what a program writes to stderr is kept for errors, in characters. */
const MAX_NOTE_CHARS = 1_000

/** A transport, with what belongs to it. */
export interface Way {
  transport: Transport
  /** What the program said last on stderr; empty for an address. */
  note(): string
  /** Releases what the transport leaves open. */
  release(): Promise<void>
}

/** @param login of the owner, where the server asks for one */
export const openWay = (config: McpServerConfig, login: Login | undefined): Promise<Way> =>
  'command' in config ? openProgram(config) : openAddress(config, login)

async function openProgram({ command, args = [], env = {}, cwd }: McpCommand): Promise<Way> {
  const { StdioClientTransport } = await import('@modelcontextprotocol/client/stdio')
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    env: { ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stderr: 'pipe', // read always: a program whose pipe is full would stand still
    maxBufferSize: MAX_MESSAGE_BYTES,
  })
  let said = ''
  transport.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-MAX_NOTE_CHARS)
  })
  return { transport, note: () => said.trim(), release: async () => {} }
}

async function openAddress(
  { url, headers = {}, transport = 'http' }: McpAddress,
  login: Login | undefined,
): Promise<Way> {
  const { SSEClientTransport, StreamableHTTPClientTransport, extractWWWAuthenticateParams } = await loadClient()
  const { Agent } = await import('undici')
  // An event stream may be silent for long; a call has a time of its own.
  const agent = new Agent({ bodyTimeout: 0 })
  const send = createFetch(async () => agent)
  const fetch = (to: string | URL, init?: RequestInit) => toWebFetch(send, createBudget())(to, init)
  const authProvider = login && {
    token: () => login.token(),
    onUnauthorized: ({ response }: { response: Response }) => login.renew(extractWWWAuthenticateParams(response)),
  }
  const options = { requestInit: { headers: { ...headers } }, fetch, ...(authProvider && { authProvider }) }
  const Chosen = transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport
  return { transport: new Chosen(new URL(url), options), note: () => '', release: () => agent.destroy() }
}

/** Of one answer: what is not parsed yet is held in several copies. */
const createBudget = () =>
  new Budget({
    bound: WEB_COPIES * MAX_MESSAGE_BYTES,
    refuse: () =>
      new Error(`A message of the MCP server is larger than the ${MAX_MESSAGE_BYTES} bytes that are taken.`),
  })

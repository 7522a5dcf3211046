/** A real authorization server and an MCP server that takes its tokens, and the browser of a user. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import { McpServer } from '@modelcontextprotocol/server'
import Provider from 'oidc-provider'
import { onTestFinished } from 'vitest'

async function listen(handle: http.RequestListener) {
  const server = http.createServer(handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Logs in the user in the header `x-user`, and takes the name `nobody` for a refusal. */
async function interact(provider: Provider, request: http.IncomingMessage, response: http.ServerResponse) {
  const { params, grantId } = await provider.interactionDetails(request, response)
  const accountId = String(request.headers['x-user'])
  if (accountId === 'nobody')
    return provider.interactionFinished(request, response, { error: 'access_denied', error_description: '<b>no</b>' })
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  const grant = known ?? new provider.Grant({ accountId, clientId: String(params.client_id) })
  grant.addOIDCScope(String(params.scope))
  grant.addResourceScope(String(params.resource), 'tools')
  const consent = { grantId: await grant.save() }
  return provider.interactionFinished(request, response, { login: { accountId }, consent })
}

function createProvider(issuer: string): Provider {
  return new Provider(issuer, {
    clients: [],
    cookies: { keys: ['test'] },
    scopes: ['openid', 'offline_access', 'tools'],
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, audience) => ({
          scope: 'tools',
          audience,
          accessTokenTTL: 600,
          accessTokenFormat: 'opaque',
        }),
      },
    },
  })
}

/** An MCP server whose tool `whoami` gives the account of the token. */
export async function startOAuthHost() {
  let provider: Provider | undefined
  const refused = new Set<string>()
  let demanded: string | undefined
  const tokens: string[] = []
  const grants: string[] = []
  const issuer = await listen((request, response) => {
    if (provider === undefined) return void response.writeHead(503).end()
    if (request.url?.startsWith('/interaction/')) return void interact(provider, request, response)
    if (request.url === '/token')
      request.on('data', (chunk) => grants.push(String(new URLSearchParams(String(chunk)).get('grant_type'))))
    provider.callback()(request, response)
  })
  provider = createProvider(issuer)
  const sessions = new Map<string, { account: string; transport: NodeStreamableHTTPServerTransport }>()
  const accountOf = async (request: http.IncomingMessage) => {
    const sent = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    if (sent !== '' && !tokens.includes(sent)) tokens.push(sent)
    const token = refused.has(sent) ? undefined : await provider?.AccessToken.find(sent)
    return token?.aud === url ? token.accountId : undefined
  }
  const metadata = '/.well-known/oauth-protected-resource/mcp'
  const origin = await listen(async (request, response) => {
    if (request.url === metadata)
      return void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ resource: url, authorization_servers: [issuer], scopes_supported: ['tools'] }))
    const account = request.url === '/mcp' ? await accountOf(request) : undefined
    if (account === undefined)
      return void response
        .writeHead(request.url === '/mcp' ? 401 : 404, {
          'www-authenticate': `Bearer resource_metadata="${origin}${metadata}"`,
        })
        .end()
    if (demanded !== undefined)
      return void response
        .writeHead(403, { 'www-authenticate': `Bearer error="insufficient_scope", scope="${demanded}"` })
        .end()
    const known = sessions.get(String(request.headers['mcp-session-id']))
    if (known !== undefined && known.account === account) return known.transport.handleRequest(request, response)
    if (request.headers['mcp-session-id'] !== undefined) return void response.writeHead(404).end()
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, { account, transport }),
    })
    const sent = String(request.headers.authorization)
    const server = new McpServer({ name: 'issues', version: '1.0.0' })
    server.registerTool('whoami', { description: 'Who are you?' }, async () => ({
      content: [{ type: 'text', text: `I am ${account}.` }],
    }))
    server.registerTool('leak', { description: 'Fails.' }, async () => {
      throw new Error(`The header was ${sent}.`)
    })
    await server.connect(transport)
    return transport.handleRequest(request, response)
  })
  const url = `${origin}/mcp`
  return {
    url,
    issuer,
    /** Every access token that was sent. */
    tokens,
    /** The grant types of all requests for tokens. */
    grants,
    /** The server wants a scope that no token has. */
    demand(scope: string) {
      demanded = scope
    },
    /** The server takes no token any more that it has seen. */
    expire() {
      for (const token of tokens) refused.add(token)
    },
    /** The authorization server forgets all refresh tokens, too. */
    async revoke() {
      for (const token of tokens) {
        const found = await provider?.AccessToken.find(token)
        if (found?.grantId !== undefined) await provider?.RefreshToken.revokeByGrantId(found.grantId)
        refused.add(token)
      }
    },
  }
}

/** The browser of a user: follows redirects, keeps cookies, and stops at the callback, which it opens only when told to. */
export async function browse(start: string, user: string): Promise<{ callback: string }> {
  const cookies = new Map<string, string>()
  for (let url = start, hops = 0; hops < 10; hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie, 'x-user': user } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`The browser ended at ${url}: ${answer.status} ${await answer.text()}`)
    url = new URL(location, url).href
    if (new URL(url).pathname === '/oauth/callback') return { callback: url }
  }
  throw new Error('The browser was sent around too often.')
}

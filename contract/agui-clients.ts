// Drives real AG-UI clients, old and new, through five scenes. Prints a line per client; exit code 1 when one failed.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { serve } from '../src/index.ts'
import { type ClientClass, createSceneAgency, play, SCENES, scriptScenes } from '../tests/support/agui-scenes.ts'
import { startUpstream } from '../tests/support/upstream.ts'

const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8')) as {
  dependencies: { [name: string]: string }
}
const namesLike = (prefix: string) => Object.keys(dependencies).filter((name) => name.startsWith(prefix))
const load = createRequire(import.meta.url)

interface Runtime {
  CopilotRuntime: new (options: { agents: { [name: string]: unknown } }) => unknown
  createCopilotRuntimeHandler(options: { runtime: unknown; basePath: string }): (request: Request) => Promise<Response>
}

/** An `HttpAgent` whose requests pass through a CopilotKit runtime, with the AG-UI client that the runtime brings. */
async function throughCopilotKit(name: string): Promise<ClientClass> {
  const { CopilotRuntime, createCopilotRuntimeHandler } = (await import(`${name}/v2`)) as Runtime
  const own = createRequire(load.resolve(`${name}/v2`))
  const { HttpAgent } = own('@ag-ui/client') as { HttpAgent: ClientClass }
  return class extends HttpAgent {
    constructor({ url, threadId }: { url: string; threadId: string }) {
      super({ url: 'http://copilotkit.invalid/api/agent/team/run', threadId })
      const runtime = new CopilotRuntime({ agents: { team: new HttpAgent({ url, threadId }) } })
      const handle = createCopilotRuntimeHandler({ runtime, basePath: '/api' })
      const fetch = async (url: string, init: RequestInit) => toBytes(await handle(new Request(url, init)))
      Object.assign(this, { fetch, fetchFn: fetch })
    }
  }
}

/** The runtime's body may yield strings, which a browser never sees: a server encodes them. */
function toBytes({ body, status, headers }: Response): Response {
  const encoder = new TextEncoder()
  const encode = new TransformStream<Uint8Array | string, Uint8Array>({
    transform: (chunk, controller) => controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk),
  })
  return new Response(body?.pipeThrough(encode) ?? null, { status, headers })
}

const upstream = await startUpstream(scriptScenes)
Object.assign(process.env, { OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-contract', CONTRACT_NONE: '' })
const server = await serve({
  ...{ agencies: { team: createSceneAgency() }, enableAgui: true, agui: true, appTokenEnv: 'CONTRACT_NONE' },
  ...{ host: '127.0.0.1', port: 0, banner: false, handleSignals: false },
})
const ENDPOINTS = ['get_response_stream', 'agui']
let failed = 0
const tryAll = async (client: string, AgentClass: ClientClass) => {
  for (const endpoint of ENDPOINTS)
    for (const scene of Object.keys(SCENES))
      try {
        // A stored thread of each client's own.
        await play(AgentClass, `${server.url}/team/${endpoint}`, scene, client)
      } catch (error) {
        failed++
        console.log(`${client}, ${endpoint}, ${scene}: ${error instanceof Error ? error.message.slice(0, 400) : error}`)
      }
}
for (const name of namesLike('ag-ui-client-')) await tryAll(name, (load(name) as { HttpAgent: ClientClass }).HttpAgent)
for (const name of namesLike('copilotkit-')) await tryAll(name, await throughCopilotKit(name))
await Promise.all([server.close(), upstream.close()])
const clients = namesLike('ag-ui-client-').length + namesLike('copilotkit-').length
console.log(`${clients} clients, ${clients * ENDPOINTS.length * Object.keys(SCENES).length} scenes, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)

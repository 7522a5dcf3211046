import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { allFrames, post } from './support/client.ts'
import { startHostileGateway } from './support/hostile-gateway.ts'
import { MCP_LISTS, startHostileMcp } from './support/hostile-mcp.ts'
import { startProcess } from './support/process.ts'

const CEILING = { heapMiB: 256, descriptors: 256 }

let server: Awaited<ReturnType<typeof startProcess>>
beforeAll(async () => {
  const [gateway, mcp] = [await startHostileGateway(), await startHostileMcp()]
  const file = join(import.meta.dirname, 'support/mcp-process.ts')
  const env = { GATEWAY: gateway.baseURL, MCP: mcp.url, AGENCY_MAX_TURNS: '3', AGENCY_RUN_MS: '6000' }
  server = await startProcess(file, env, CEILING, () => {})
  return () => {
    server.child.kill('SIGKILL')
    mcp.close()
    return gateway.close()
  }
}, 60_000)

async function held() {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  return Number(/^agency_swarm_memory_held_bytes (\S+)/m.exec(text)?.[1])
}

/** The process lives, answers, and has given back what was held. */
async function expectWell() {
  expect((await post(`${server.url}/demo/get_response`, { message: 'hello' })).status).toBe(200)
  expect(server.child.exitCode).toBeNull()
  await expect.poll(held, { timeout: 15_000 }).toBe(0)
}

test('a stream ends properly whatever the MCP server of its agent lists', async () => {
  await Promise.all(
    MCP_LISTS.map(async (mode) => {
      const frames = await allFrames(`${server.url}/${mode}/get_response_stream`, { message: 'call:0 tool:t0' })
      expect(
        frames.slice(-2).map((frame) => frame.event),
        mode,
      ).toEqual(['messages', 'end'])
    }),
  )
  await expectWell()
}, 60_000)

test.each(['giant', 'wait', 'broken'])(
  'a run ends when a tool of an MCP server answers like this: %s',
  async (tool) => {
    await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const answer = await post(`${server.url}/calls/get_response`, { message: `call:0 tool:${tool}` })
        expect([500, 503]).toContain(answer.status)
        await answer.text()
      }),
    )
    await expectWell()
  },
  60_000,
)

test('an MCP server that lists too many tools is refused', async () => {
  const answer = await post(`${server.url}/many/get_response`, { message: 'call:0 tool:t0' })
  expect(answer.status).toBe(500)
  expect(await answer.text()).toContain('more than 2000 tools')
  await expectWell()
}, 30_000)

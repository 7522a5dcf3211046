import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, closeMcpServer, type McpProgress, type McpServerConfig, toolsFromMcp } from '../src/index.ts'
import { callTool } from './support/api.ts'
import { startServer, useUpstream } from './support/client.ts'
import { startBrokenHost, startMcpHost, startSseHost } from './support/mcp-hosts.ts'

type Json = { [key: string]: unknown }
const PROGRAM = join(import.meta.dirname, 'support/mcp-program.ts')

/** A server that is a program, closed after the test. */
function program(settings: Partial<McpServerConfig> = {}): McpServerConfig {
  const config = {
    command: process.execPath,
    args: [PROGRAM],
    env: { FIXTURE_KEY: 'hunter22' },
    ...settings,
  } as McpServerConfig
  onTestFinished(() => closeMcpServer(config))
  return config
}

function address(url: string, settings: Partial<McpServerConfig> = {}): McpServerConfig {
  const config = { url, ...settings } as McpServerConfig
  onTestFinished(() => closeMcpServer(config))
  return config
}

const named = async (config: McpServerConfig, name: string) =>
  (await toolsFromMcp(config)).find((tool) => tool.name === name)
const call = async (config: McpServerConfig, name: string, args: Json = {}) => callTool(await named(config, name), args)
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
const offered = (body: Json | undefined) => ((body?.tools ?? []) as { name: string }[]).map(({ name }) => name)
const outputs = (messages: readonly Json[]) =>
  messages.filter((item) => item.type === 'function_call_output').map((item) => item.output)
const agent = (options: Partial<ConstructorParameters<typeof Agent>[0]>) =>
  new Agent({ name: 'Clerk', model: 'gpt-4.1', ...options })

test('a program brings its tools to an agent, and ends with the agency', { timeout: 60_000 }, async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? {
          calls: [
            { name: 'echo', arguments: { word: 'hi' } },
            { name: 'pid', arguments: {} },
            { name: 'fail', arguments: {} },
          ],
        }
      : { text: 'Done.' },
  )
  const agency = new Agency(agent({ mcpServers: [program()] }))
  const { newMessages } = await agency.getResponse('Go.')
  expect(offered(upstream.seen[0]?.body)).toEqual(expect.arrayContaining(['echo', 'pid', 'fail']))
  const [echo, pid, failure] = outputs(newMessages)
  expect(echo).toBe('hi')
  expect(failure).toBe(
    'An error occurred in the tool "fail": the disk is full. Check the arguments, or find another way.',
  )
  expect(isAlive(Number(pid))).toBe(true)
  await agency.close()
  await expect.poll(() => isAlive(Number(pid))).toBe(false)
})

test('a program does not get the keys of this process', { timeout: 60_000 }, async () => {
  process.env.FIXTURE_KEY = 'of-this-process'
  onTestFinished(() => void delete process.env.FIXTURE_KEY)
  expect(await call(program({ env: {} }), 'secret')).toBe('none')
  expect(await call(program(), 'secret')).toBe('hunter22')
})

test('one description is one connection for all agents and agencies', { timeout: 60_000 }, async () => {
  const shared = program()
  const upstream = await useUpstream((body) =>
    JSON.stringify(body).includes('function_call_output')
      ? { text: 'Done.' }
      : { calls: [{ name: 'pid', arguments: {} }] },
  )
  const run = async (agency: Agency) => outputs((await agency.getResponse('Go.')).newMessages)
  const [first, second, third] = await Promise.all([
    run(new Agency(agent({ mcpServers: [shared] }))),
    run(new Agency(agent({ name: 'Other', mcpServers: [shared] }))),
    run(new Agency(agent({ name: 'Third' }), { sharedMcpServers: [shared] })),
  ])
  expect(first).toEqual([expect.stringMatching(/^\d+$/)])
  expect([second, third]).toEqual([first, first])
  expect(offered(upstream.seen[0]?.body).filter((name) => name === 'pid')).toHaveLength(1)
})

test('a server that is both shared and of an agent is listed once', { timeout: 60_000 }, async () => {
  const upstream = await useUpstream(() => ({ text: 'Done.' }))
  const shared = program()
  await new Agency(agent({ mcpServers: [shared] }), { sharedMcpServers: [shared] }).getResponse('Go.')
  expect(offered(upstream.seen[0]?.body).filter((name) => name.endsWith('echo'))).toEqual(['echo'])
})

test('lists, a function and a prefix choose and name the tools', { timeout: 60_000 }, async () => {
  const names = async (settings: Partial<McpServerConfig>) =>
    (await toolsFromMcp(program(settings))).map(({ name }) => name)
  expect(await names({ allowedTools: ['echo', 'pid'], blockedTools: ['pid'], toolPrefix: 'x_' })).toEqual(['x_echo'])
  expect(await names({ toolFilter: ({ annotations }) => annotations.readOnlyHint === true })).toEqual(['echo'])
})

test('tools can need approval, and read-only ones may run twice', { timeout: 60_000 }, async () => {
  const tools = await toolsFromMcp(program({ needsApproval: ['pid'], allowedTools: ['echo', 'pid'] }))
  expect(tools.map((tool) => [tool.name, tool.needsApproval, tool.safeToRetry])).toEqual([
    ['echo', undefined, true],
    ['pid', true, undefined],
  ])
})

test('tools of two servers with one name get the name of their server', { timeout: 60_000 }, async () => {
  const upstream = await useUpstream(() => ({ text: 'Done.' }))
  const servers = ['north', 'south'].map((name) => program({ name, allowedTools: ['echo'] }))
  await new Agency(agent({ mcpServers: servers })).getResponse('Go.')
  expect(offered(upstream.seen[0]?.body)).toEqual(['north_echo', 'south_echo'])
})

test('pictures, resources and links become what a model can read', { timeout: 60_000 }, async () => {
  expect(await call(program(), 'look')).toEqual([
    { type: 'input_text', text: 'See' },
    { type: 'input_image', image_url: 'data:image/png;base64,AQI=' },
    { type: 'input_text', text: '[A recording (audio/wav, about 3 bytes) cannot be shown.]' },
    { type: 'input_text', text: 'Resource file:///notes.txt:\na note' },
    { type: 'input_file', file_data: 'data:application/pdf;base64,AQI=', filename: 'a.pdf' },
    { type: 'input_text', text: 'Resource file:///b.txt: b: more' },
  ])
})

test('a long result is cut off and the model is told', { timeout: 60_000 }, async () => {
  expect(await call(program({ maxResultBytes: 50 }), 'long')).toBe(
    `${'x'.repeat(50)}\n[The result was cut off here, after 50 bytes. Ask for less.]`,
  )
})

test('progress keeps a call alive and reaches the listener', { timeout: 60_000 }, async () => {
  const seen: McpProgress[] = []
  const onProgress = (progress: McpProgress) => {
    seen.push(progress)
    throw new Error('ignored')
  }
  expect(await call(program({ timeoutMs: 400, onProgress }), 'work')).toBe('worked')
  expect(seen.map(({ progress, message, toolCallId }) => [progress, message, toolCallId])).toEqual(
    [1, 2, 3, 4].map((step) => [step, `step ${step}`, 'call_1']),
  )
})

test('a call that hangs ends in time, and its server goes on', { timeout: 60_000 }, async () => {
  const config = program({ timeoutMs: 200 })
  const pid = await call(config, 'pid')
  await expect(call(config, 'hang')).rejects.toThrow(
    'the server was silent for 200 ms, or took more than 600000 ms in all. The call may have taken effect; check before you call it again.',
  )
  expect(await call(config, 'pid')).toBe(pid)
})

test('a progress that never ends is stopped at maxCallMs', { timeout: 60_000 }, async () => {
  await expect(call(program({ maxCallMs: 300 }), 'work')).rejects.toThrow(/took more than 300 ms in all/)
})

test('a cancelled run leaves its call', { timeout: 60_000 }, async () => {
  const cancel = new AbortController()
  const hang = await named(program(), 'hang')
  const calling = callTool(hang, {}, { signal: cancel.signal })
  cancel.abort(new Error('stopped'))
  await expect(calling).rejects.toThrow()
})

test('a program that dies in a call is a clear error, and is started again', { timeout: 60_000 }, async () => {
  const config = program()
  const pid = await call(config, 'pid')
  await expect(call(config, 'die')).rejects.toThrow(
    /^The connection to the MCP server was lost: Connection closed\. It wrote: fatal: out of luck with \[redacted\]$/,
  )
  const next = await call(config, 'pid')
  expect(next).toMatch(/^\d+$/)
  expect(next).not.toBe(pid)
})

test('a program that floods is cut off, and others go on', { timeout: 60_000 }, async () => {
  const [loud, calm] = [program(), program()]
  const echo = await named(calm, 'echo')
  await expect(call(loud, 'flood')).rejects.toThrow('The connection to the MCP server was lost')
  expect(await callTool(echo, { word: 'still here' })).toBe('still here')
  expect(await call(loud, 'echo', { word: 'back' })).toBe('back')
})

test('lines of a program that are no messages are passed over', { timeout: 60_000 }, async () => {
  expect(await call(program(), 'rubbish')).toBe('fine')
})

test('a change of the list is seen at the next model call', { timeout: 60_000 }, async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'grow', arguments: {} }] } : { text: 'Done.' },
  )
  await new Agency(agent({ mcpServers: [program()] })).getResponse('Go.')
  expect(upstream.seen.map(({ body }) => offered(body).includes('grown'))).toEqual([false, true])
})

test('an idle connection closes, and the next use opens it again', { timeout: 60_000 }, async () => {
  const config = program({ idleTimeoutMs: 50 })
  const pid = Number(await call(config, 'pid'))
  await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false)
  expect(await call(config, 'echo', { word: 'hi' })).toBe('hi')
})

test('Streamable HTTP: headers are sent, and closing ends the session', { timeout: 60_000 }, async () => {
  const host = await startMcpHost()
  const config = address(host.url, { headers: { authorization: 'Bearer hunter22' } })
  expect(await call(config, 'echo', { word: 'hi' })).toBe('hi')
  expect(host.seen.every(({ authorization }) => authorization === 'Bearer hunter22')).toBe(true)
  await closeMcpServer(config)
  expect(host.methods).toContain('DELETE')
})

test('Streamable HTTP: a server that was started again is connected again', { timeout: 60_000 }, async () => {
  const host = await startMcpHost()
  const config = address(host.url)
  const echo = await named(config, 'echo')
  host.sessions.clear() // it has forgotten every session
  expect(await callTool(echo, { word: 'one' })).toBe('one')
  await host.stop()
  const again = startMcpHost(host.port)
  expect(await callTool(echo, { word: 'two' })).toBe('two')
  await again
})

const refusal = (message: string, code = -32000) =>
  JSON.stringify({ jsonrpc: '2.0', error: { code, message }, id: null })
test.each([
  { status: 400, body: refusal('Bad Request: No valid session ID provided') }, // the reference servers
  { status: 400, body: refusal('Bad Request: No valid session ID or not an initialize request') },
  { status: 410, body: '{"error":"session gone"}' },
  { status: 503, body: refusal('Unknown session') },
  { status: 404, body: refusal('Not Found', -32001) },
  { status: 404, body: '<h1>Not Found</h1>' },
])('a lost session is opened anew after $status $body', { timeout: 60_000 }, async (answer) => {
  const host = await startMcpHost(0, answer)
  const config = address(host.url)
  const echo = await named(config, 'echo')
  host.sessions.clear()
  expect(await callTool(echo, { word: 'one' })).toBe('one')
  expect(host.sessions.size).toBe(1)
})

test('the older transport of two addresses works', { timeout: 60_000 }, async () => {
  const { url } = await startSseHost()
  expect(await call(address(url, { transport: 'sse' }), 'say')).toBe('said say')
})

test('strict schemas and the words of a failure are set for each server', { timeout: 60_000 }, async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'fail', arguments: {} }] } : { text: 'Done.' },
  )
  const describeFailure = (error: Error, { name }: { name: string }) => `${name} says: ${error.message}`
  const server = program({ strict: true, describeFailure })
  const { newMessages } = await new Agency(agent({ mcpServers: [server] })).getResponse('Go.')
  expect(outputs(newMessages)).toEqual(['fail says: the disk is full'])
  const tools = upstream.seen.map(({ body }) => body.tools)[0] as { name: string; strict: boolean }[]
  expect(tools.find(({ name }) => name === 'echo')).toMatchObject({ strict: true })
})

test('a program that cannot be started is MCP_FAILED with the reason', { timeout: 60_000 }, async () => {
  const gone = program({ name: 'notes', command: '/no/such/program' })
  const failure = toolsFromMcp(gone)
  await expect(failure).rejects.toMatchObject({
    code: 'MCP_FAILED',
    message: 'The MCP server "notes" of agent "toolsFromMcp" could not be reached.',
  })
  const reason = await failure.catch((error) => String(error.cause.message))
  expect(reason).toContain('ENOENT')
})

test('right after all attempts failed, a server is not asked again', { timeout: 60_000 }, async () => {
  let asked = 0
  const { url } = await startBrokenHost((response) => {
    asked++
    response.writeHead(500).end()
  })
  const config = address(url)
  const again = toolsFromMcp(config).catch(() => {
    const before = asked
    return toolsFromMcp(config).catch((error) => [error.code, before, asked - before])
  })
  expect(await again).toEqual(['MCP_FAILED', 3, 0])
})

const flood = (response: ServerResponse) => {
  response.setHeader('content-type', 'application/json').write('["')
  const more = () => {
    while (!response.destroyed && response.write('z'.repeat(65_536)));
  }
  response.on('drain', more)
  more()
}

test.for<[what: string, answer: Parameters<typeof startBrokenHost>[0], reason: RegExp]>([
  ['floods', flood, /larger than the 8388608 bytes/],
  ['hangs', () => {}, /took longer than|timed out/i],
  ['answers HTML', (response) => void response.setHeader('content-type', 'text/html').end('<p>Welcome'), /./],
  ['answers broken JSON', (response) => void response.setHeader('content-type', 'application/json').end('{"a'), /./],
  ['refuses the key', (response) => void response.writeHead(401).end('no'), /./],
  ['closes the connection', (response) => void response.destroy(), /./],
])('a server that %s is MCP_FAILED within its time', { timeout: 60_000 }, async ([what, answer, reason]) => {
  const { url } = await startBrokenHost(answer)
  const startTimeoutMs = what === 'hangs' ? 1_000 : 30_000
  const failure = toolsFromMcp(address(`${url}?key=hunter22`, { startTimeoutMs }))
  await expect(failure).rejects.toMatchObject({ code: 'MCP_FAILED' })
  const error = await failure.catch((thrown) => thrown)
  expect(error.cause.message).toMatch(reason)
  expect(`${error.message} ${error.cause.message}`).not.toContain('hunter22')
})

test('a failed server costs its own run only', { timeout: 60_000 }, async () => {
  await useUpstream(() => ({ text: 'Done.' }))
  const broken = program({ command: '/no/such/program' })
  const { url } = await startServer({
    agencies: { broken: new Agency(agent({ mcpServers: [broken] })), fine: new Agency(agent({})) },
    logger: { info() {}, warn() {}, error() {} },
  })
  const ask = async (name: string) => {
    const answer = await fetch(`${url}/${name}/get_response`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"message": "Go."}',
    })
    return [answer.status, ((await answer.json()) as Json).error]
  }
  expect(await ask('broken')).toEqual([500, 'An MCP server of agent "Clerk" could not be reached.'])
  expect(await ask('fine')).toEqual([200, undefined])
})

test('a server that stops closes the connections of its agencies', { timeout: 60_000 }, async () => {
  await useUpstream((_body, index) => (index === 0 ? { calls: [{ name: 'pid', arguments: {} }] } : { text: 'Done.' }))
  const agency = new Agency(agent({ mcpServers: [program()] }))
  const server = await startServer({ agencies: { agency } })
  const { newMessages } = await agency.getResponse('Go.')
  const [pid] = outputs(newMessages)
  await server.close()
  await expect.poll(() => isAlive(Number(pid))).toBe(false)
})

test.for<[config: Json, sentence: string]>([
  [{ command: '' }, 'command must be the name or path of a program'],
  [{ command: 'x', url: 'http://a' }, 'has no option "url"'],
  [{ url: 'ftp://a' }, 'url must be an http(s) address'],
  [{ url: 'http://a', transport: 'ws' }, 'transport must be "http" or "sse"'],
  [{ url: 'http://a', timeout: 5 }, 'Use instead: timeoutMs'],
  [{ command: 'x', env: { A: 1 } }, 'env must be an object of texts'],
  [{ command: 'x', name: 'a/b' }, 'name must be 1 to 32 letters'],
  [{ command: 'x', timeoutMs: 0 }, 'timeoutMs must be a whole number'],
  [{ command: 'x', strict: 'yes' }, 'strict must be true or false'],
  [{ command: 'x', describeFailure: 'x' }, 'describeFailure must be a function'],
  [{ nothing: 1 }, 'must be a list of { command, args }, { url }, or server objects'],
])('the description %j is refused when the agent is created', ([config, sentence]) => {
  expect(() => agent({ mcpServers: [config as never] })).toThrow(sentence)
})

test('sharedMcpServers that are no list, or hold no server, are refused', () => {
  expect(() => new Agency(agent({}), { sharedMcpServers: {} as never })).toThrow(
    'sharedMcpServers of an agency must be a list',
  )
  expect(() => new Agency(agent({}), { sharedMcpServers: [{} as never] })).toThrow(
    'must be a list of { command, args }, { url }',
  )
})

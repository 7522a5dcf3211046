/** The endpoints behind the playground's page: what an agent's model gets, tools that are run by hand, kept evals. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, BaseTool, buildApp, Handoff, memory, type ServeOptions, tool, webSearch } from '../src/index.ts'
import { useFolder } from './support/folder.ts'

const aborted = Promise.withResolvers<void>()

class Format extends BaseTool.define({ text: z.string() }) {
  static override description = 'Formats.'
  run() {
    return `<${this.text}>`
  }
}

function createDesk() {
  const greet = tool({
    name: 'greet',
    description: 'Greet a person.',
    parameters: z.object({ name: z.string() }),
    execute: ({ name }, context) => {
      if (name === 'nobody') throw new Error('sk-playground-key is nobody')
      context.set('greeted', true)
      return { greeting: `Hello ${name} of ${context.get('town')}`, by: context.currentAgentName }
    },
  })
  const wait = tool({
    name: 'wait',
    execute: (_, { signal }) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          aborted.resolve()
          resolve('left')
        }),
      ),
  })
  const pay = tool({ name: 'pay', needsApproval: true, execute: () => 'paid' })
  const clerk = new Agent({ name: 'Clerk', description: 'Pays', model: 'demo', tools: [pay] })
  const lead = new Agent({
    name: 'Lead',
    instructions: (context) => `You are in ${context.get('town')}.`,
    model: 'demo',
    modelSettings: { temperature: 0.2, extraHeaders: { 'x-key': 'hidden' } },
    tools: [greet, wait, webSearch()],
    outputType: z.object({ answer: z.string() }),
  })
  return new Agency(lead, {
    sharedInstructions: 'Be kind.',
    userContext: { town: 'Bonn' },
    communicationFlows: [
      [lead, clerk],
      [clerk, lead, Handoff],
    ],
  })
}

async function open(options: Partial<ServeOptions> = {}) {
  const app = await buildApp({ agencies: { 'my desk': createDesk() }, tools: [Format], playground: true, ...options })
  onTestFinished(() => app.close())
  const get = async (url: string) => (await app.inject(`/playground${url}`)).json()
  const agent = (name: string) => get(`/agent?agency=my_desk&agent=${name}`)
  const run = async (tool: string, args: object, agent = 'Lead') => {
    const payload = { agency: 'my_desk', agent, tool, arguments: args }
    return app.inject({ method: 'POST', url: '/playground/tool', payload })
  }
  return { app, get, agent, run }
}

test('an agent is shown as its model gets it, without keys', async () => {
  const { agent } = await open()
  expect(await agent('Lead')).toMatchObject({
    agent: 'Lead',
    instructions: 'Be kind.\n\nYou are in Bonn.',
    dynamic: true,
    model: 'demo',
    settings: { temperature: 0.2, extraHeaders: { 'x-key': '[redacted]' } },
    tools: [
      { name: 'greet', from: 'own', runs: true, strict: true, parameters: { required: ['name'] } },
      { name: 'wait', from: 'own', needs_approval: false },
      { name: 'send_message', from: 'message', runs: false, reaches: ['Clerk'] },
    ],
    hosted_tools: [{ type: 'web_search' }],
    output_schema: { type: 'object', required: ['answer'] },
    reached_from: ['Clerk'],
    problems: [],
  })
  const clerk = await agent('Clerk')
  expect(clerk).toMatchObject({ instructions: 'Be kind.', dynamic: false, reached_from: ['Lead'] })
  expect(
    clerk.tools.map(({ name, from, needs_approval }: { [key: string]: unknown }) => [name, from, needs_approval]),
  ).toEqual([
    ['pay', 'own', true],
    ['transfer_to_Lead', 'handoff', false],
  ])
})

test('instructions that fail are a problem, and the rest is shown', async () => {
  const agent = new Agent({
    name: 'Solo',
    model: 'demo',
    instructions: () => {
      throw new Error('no town')
    },
  })
  const { get } = await open({ agencies: { solo: new Agency(agent) } })
  expect(await get('/agent?agency=solo&agent=Solo')).toMatchObject({
    instructions: null,
    model: 'demo',
    problems: ['no town'],
  })
})

test("a tool is run as a call of its agent, with the agency's context", async () => {
  vi.stubEnv('OPENAI_API_KEY', 'sk-playground-key')
  vi.spyOn(console, 'warn').mockReturnValue()
  const { run } = await open()
  const greeted = (await run('greet', { name: 'Ann' })).json()
  expect(greeted).toEqual({ output: expect.any(String), failed: false, ms: expect.any(Number) })
  expect(JSON.parse(greeted.output)).toEqual({ greeting: 'Hello Ann of Bonn', by: 'Lead' })
  expect((await run('greet', {})).json()).toMatchObject({
    failed: true,
    output: expect.stringContaining('do not fit'),
  })
  const failed = (await run('greet', { name: 'nobody' })).json()
  expect(failed).toMatchObject({ failed: true, output: expect.stringContaining('is nobody') })
  expect(failed.output).not.toContain('sk-playground-key')
  expect((await run('pay', {}, 'Clerk')).json()).toMatchObject({ output: 'paid', failed: false })
})

test('what is unknown or malformed is refused', async () => {
  const { run, app, agent } = await open()
  expect((await run('greet', {}, 'Nobody')).statusCode).toBe(422)
  expect((await run('pay', {})).statusCode).toBe(404)
  expect((await run('send_message', {})).statusCode).toBe(404)
  expect((await agent('Nobody')).detail).toBeDefined()
  expect((await app.inject('/playground/agent?agency=other&agent=Lead')).statusCode).toBe(404)
  for (const payload of [{}, [], { agency: 'my_desk', agent: 'Lead', tool: 'greet', arguments: 5 }])
    expect((await app.inject({ method: 'POST', url: '/playground/tool', payload })).statusCode).toBe(422)
})

test('a tool that is run by hand stops when its caller leaves', async () => {
  const { app } = await open()
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const leaving = new AbortController()
  const body = JSON.stringify({ agency: 'my_desk', agent: 'Lead', tool: 'wait', arguments: {} })
  const asked = fetch(`${url}/playground/tool`, {
    ...{ method: 'POST', body, signal: leaving.signal },
    headers: { 'content-type': 'application/json' },
  })
  const rejected = expect(asked).rejects.toThrow()
  setTimeout(() => leaving.abort(), 200)
  await rejected
  await aborted.promise
})

test('the page learns which conversations are threads, and the tools', async () => {
  const { get } = await open()
  const [format] = (await get('/features')).tools
  expect(format).toMatchObject({ name: 'Format', description: 'Formats.', parameters: { required: ['text'] } })
  expect((await get('/features')).threads).toEqual([])
  const keeping = new Agency(new Agent({ name: 'Solo', model: 'demo' }), {
    loadThreads: () => [],
    saveThreads: () => {},
  })
  const agencies = { desk: createDesk(), keeping }
  const kept = await open({ agencies, runs: { store: memory() } })
  expect((await kept.get('/features')).threads).toEqual(['desk'])
})

test('kept evals are read, newest first, without files that are none', async () => {
  const folder = useFolder()
  vi.spyOn(process, 'cwd').mockReturnValue(folder)
  const { get } = await open()
  expect(await get('/evals')).toEqual({ folder: '.agency_swarm/evals', reports: [], skipped: [] })
  mkdirSync(join(folder, '.agency_swarm/evals'), { recursive: true })
  const write = (name: string, text: string) => writeFileSync(join(folder, '.agency_swarm/evals', name), text)
  write('2026-01-01T10-00-00.000Z.json', '{"startedAt": "a", "results": []}')
  write('2026-01-02T10-00-00.000Z.json', '{"startedAt": "b", "results": []}')
  write('2026-01-03T10-00-00.000Z.json', 'half a rep')
  write('notes.json', '{"results": []}')
  expect(await get('/evals')).toMatchObject({
    reports: [{ startedAt: 'b' }, { startedAt: 'a' }],
    skipped: ['2026-01-03T10-00-00.000Z.json'],
  })
})

test('the endpoints need the token, and are absent without a playground', async () => {
  vi.stubEnv('PLAYGROUND_TOKEN', 'secret')
  const locked = await open({ appTokenEnv: 'PLAYGROUND_TOKEN' })
  const absent = await open({ playground: false })
  const paths = ['/features', '/evals', '/agent?agency=my_desk&agent=Lead']
  for (const path of paths) {
    expect((await locked.app.inject(`/playground${path}`)).statusCode, path).toBe(401)
    expect((await absent.app.inject(`/playground${path}`)).statusCode, path).toBe(404)
  }
  expect((await locked.run('greet', { name: 'Ann' })).statusCode).toBe(401)
  expect((await absent.run('greet', { name: 'Ann' })).statusCode).toBe(404)
  expect(Object.keys((await locked.app.inject('/openapi.json')).json().paths ?? {})).not.toContainEqual(
    expect.stringContaining('/playground'),
  )
})

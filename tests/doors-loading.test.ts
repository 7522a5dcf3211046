/** What servers load for the protocols that they speak. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, buildApp } from '../src/index.ts'

const ROOT = join(import.meta.dirname, '..')

const OPTIONS = [{}, { openai: true }, { a2a: true }]

/** The modules of further protocols that each of the servers, one after the other, has loaded. */
function load(): string[][] {
  const program = `
    import { registerHooks } from 'node:module'
    let found = []
    registerHooks({ load: (url, context, next) => (found.push(url), next(url, context)) })
    const { Agency, Agent, buildApp } = await import(${JSON.stringify(join(ROOT, 'src/index.ts'))})
    const all = []
    for (const options of ${JSON.stringify(OPTIONS)}) {
      const agency = new Agency(new Agent({ name: 'A', instructions: 'Help.', model: 'demo' }))
      await (await buildApp({ agencies: { a: agency }, ...options })).close()
      all.push(found.filter((url) => /src\\/(dialects|server\\/routes|wire)\\/(openai|a2a)/.test(url)).map((url) => url.split('/src/')[1]))
      found = []
    }
    console.log(JSON.stringify(all))
  `
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }))
}

test('a server loads nothing for a protocol that it does not speak', { timeout: 60_000 }, () => {
  const [none, openai = [], a2a = []] = load()
  expect(none).toEqual([])
  expect(openai.length).toBeGreaterThan(5)
  expect(openai.filter((file) => file.includes('a2a'))).toEqual([])
  expect(a2a.length).toBeGreaterThan(5)
})

test('all protocols of a server are described in one document', async () => {
  const app = await buildApp({
    agencies: { shop: new Agency(new Agent({ name: 'Solo', model: 'demo' })) },
    openai: true,
    aiSdk: true,
    mcp: true,
    a2a: true,
  })
  onTestFinished(() => app.close())
  const { paths } = (await app.inject('/openapi.json')).json() as { paths: object }
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining(['/v1/responses', '/shop/chat', '/shop/runs', '/shop/a2a', '/.well-known/agent-card.json']),
  )
})

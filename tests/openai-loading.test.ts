/** What servers load for OpenAI clients. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, buildApp } from '../src/index.ts'

const ROOT = join(import.meta.dirname, '..')

/** The modules of the OpenAI endpoints that a server has loaded. */
function loaded(openai: boolean): string[] {
  const program = `
    import { registerHooks } from 'node:module'
    const found = []
    registerHooks({ load: (url, context, next) => (found.push(url), next(url, context)) })
    const { Agency, Agent, buildApp } = await import(${JSON.stringify(join(ROOT, 'src/index.ts'))})
    const agency = new Agency(new Agent({ name: 'A', instructions: 'Help.', model: 'demo' }))
    await (await buildApp({ agencies: { a: agency }, openai: ${openai} })).close()
    console.log(JSON.stringify(found.filter((url) => /src\\/.*(dialects\\/openai|routes\\/openai|wire\\/openai)/.test(url))))
  `
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }))
}

test('a server without the option loads nothing for OpenAI clients', { timeout: 60_000 }, () => {
  expect(loaded(false)).toEqual([])
  expect(loaded(true).length).toBeGreaterThan(5)
})

test('all protocols of a server are described in one document', async () => {
  const app = await buildApp({
    agencies: { shop: new Agency(new Agent({ name: 'Solo', model: 'demo' })) },
    openai: true,
    aiSdk: true,
    mcp: true,
  })
  onTestFinished(() => app.close())
  const { paths } = (await app.inject('/openapi.json')).json() as { paths: object }
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/v1/responses', '/shop/chat', '/shop/runs']))
})

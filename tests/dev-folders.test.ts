import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { addressOf, emptyFolder, installInto, startCli } from './support/cli.ts'
import { startUpstream } from './support/upstream.ts'

/** Each start compiles the sources anew. */
const WAIT = { timeout: 60_000 }

const AGENCY = `import { Agency, Agent } from 'agency-swarm-js'
export default new Agency(new Agent({ name: 'Solo', model: 'gpt-5.4', filesFolder: './files', toolsFolder: './tools' }), { name: 'solo' })
`
const tool = (name: string) =>
  `import { tool } from 'agency-swarm-js'\nexport const ${name} = tool({ name: '${name}', execute: () => 1 })\n`

test('dev takes in new tools and new files of its folders', { timeout: 180_000 }, async () => {
  const upstream = await startUpstream(() => ({ text: 'Hi' }))
  const folder = emptyFolder()
  installInto(folder)
  for (const name of ['files', 'tools']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'agency.ts'), AGENCY)
  writeFileSync(join(folder, 'tools/one.ts'), tool('one'))
  writeFileSync(join(folder, 'files/a.pdf'), 'apples')
  const env = { OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-test' }
  const dev = startCli(['dev', '--port', '0'], { cwd: folder, env })
  await expect.poll(() => dev.said.out, WAIT).toContain('listening on')
  const url = await addressOf(dev)
  const tools = async () => {
    const answer = await fetch(`${url}/solo/get_metadata`).catch(() => undefined)
    const { nodes } = ((await answer?.json()) ?? { nodes: [] }) as {
      nodes: { type: string; data: { label: string } }[]
    }
    return nodes.filter(({ type }) => type === 'tool').map(({ data }) => data.label)
  }
  expect(await tools()).toEqual(['one', 'file_search'])
  expect(upstream.stores.names()).toEqual(['a.pdf'])

  writeFileSync(join(folder, 'tools/two.ts'), tool('two'))
  await expect.poll(tools, WAIT).toEqual(['one', 'two', 'file_search'])

  const home = readdirSync(folder).find((name) => name.startsWith('files_vs_')) as string
  writeFileSync(join(folder, home, 'b.pdf'), 'pears')
  await expect.poll(() => upstream.stores.names().sort(), WAIT).toEqual(['a.pdf', 'b.pdf'])
  await expect.poll(tools, WAIT).toEqual(['one', 'two', 'file_search'])
  await expect.poll(() => dev.said.err.match(/restarted in/g)?.length, WAIT).toBe(2) // storing starts nothing
  dev.child.kill('SIGINT')
  expect((await dev.ended).code).toBe(0)
  await upstream.close()
})

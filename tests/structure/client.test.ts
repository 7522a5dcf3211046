import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { expect, test } from 'vitest'
import { Agency, Agent } from '../../src/index.ts'
import { startServer } from '../support/client.ts'
import { useFolder } from '../support/folder.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DOOR = 'src/client/index.ts'

/** The client as a bundler makes it for a page. */
async function bundle(format: 'esm' | 'iife', minify: boolean, input = join(ROOT, DOOR)) {
  const build = await rolldown({ input, platform: 'browser', cwd: ROOT, external: /^react/ })
  const { output } = await build.generate({ format, name: 'client', minify, sourcemap: false })
  await build.close()
  expect(output).toHaveLength(1)
  return output[0]
}

test('the bundled client is small and has one dependency', async () => {
  const { code, moduleIds, imports } = await bundle('esm', true)
  const files = moduleIds.map((id) => relative(ROOT, id))
  expect(files).toContain(DOOR)
  expect(files.filter((file) => !/^(src\/client|node_modules\/eventsource-parser)\//.test(file))).toEqual([])
  expect(imports).toEqual([])
  expect(code).not.toMatch(/\b(process|Buffer|require|__dirname|global)\b[.([]/)
  // Of these, 9,700 and 3,100 are runs as resources with streams that reconnect, which every agency client offers.
  // Another 1,600 and 600 are the transport of the AI SDK, which bundlers leave out where it is not used.
  // Tickets add 500 and 200, traces as much, messages to agents 600 and 200.
  expect(code.length).toBeLessThan(29_300)
  expect(gzipSync(code).length).toBeLessThan(10_600)
})

test('the bundled hooks are small, and know only React and the client', async () => {
  const folder = useFolder()
  const input = join(folder, 'page.ts')
  const hooks = join(ROOT, 'src/react/index.ts')
  writeFileSync(input, `export { useAgency, useRun, useThread } from '${hooks}'`)
  const { code, moduleIds, imports } = await bundle('esm', true, input)
  const files = moduleIds.map((id) => relative(ROOT, id)).filter((id) => !id.endsWith('page.ts'))
  expect(files.filter((file) => !/^(src\/(client|react)|node_modules\/eventsource-parser)\//.test(file))).toEqual([])
  expect(imports.filter((from) => !/^react(\/jsx-runtime)?$/.test(from))).toEqual([])
  expect(gzipSync(code).length).toBeLessThan(12 * 1024)
})

test('the client imports only types of the wire and the parser', () => {
  const folder = join(ROOT, 'src/client')
  const sources = readdirSync(folder).filter((file) => file.endsWith('.ts'))
  expect(sources.length).toBeGreaterThan(5)
  for (const file of sources) {
    const text = readFileSync(join(folder, file), 'utf8').replace(/\/\*\*.*?\*\//gs, '') // examples import, too
    for (const [statement, from = ''] of text.matchAll(
      /^(?:import|export) (?:(?!^import|^export)[^'])*? from '([^']+)'/gms,
    ))
      if (from.startsWith('../')) expect(`${file}: ${statement}`).toMatch(/: (import|export) type .*'\.\.\/wire\//s)
      else if (from === 'ai') expect(statement).toMatch(/^import type /)
      else expect(from).toMatch(/^(\.\/[a-z-]+\.ts|eventsource-parser)$/)
  }
})

test('only the command line and the hooks know the client', () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.tsx?$/.test(file),
  )
  const knowing = files.filter((file) => /from '[./]+\/client\//.test(readFileSync(join(ROOT, 'src', file), 'utf8')))
  expect(knowing.length).toBeGreaterThan(0)
  expect(knowing.filter((file) => !/^(cli|react)\//.test(file))).toEqual([])
  const users = files.filter(
    (file) => !file.startsWith('react/') && /from '[./]+\/react\//.test(readFileSync(join(ROOT, 'src', file), 'utf8')),
  )
  expect(users).toEqual([])
})

test('the client type-checks in a browser project that knows nothing of Node', () => {
  const options =
    '--ignoreConfig --noEmit --strict --exactOptionalPropertyTypes --skipLibCheck --allowImportingTsExtensions --target ES2024 --module ESNext'
  const args = `${options} --moduleResolution Bundler --lib ES2024,DOM,DOM.AsyncIterable --types`.split(' ')
  const tsc = join(ROOT, 'node_modules/.bin/tsc')
  expect(execFileSync(tsc, [...args, '', join(ROOT, DOOR)], { encoding: 'utf8' })).toBe('')
})

test('the bundle runs where there are only the globals of a browser', async () => {
  const { code } = await bundle('iife', false)
  const { url } = await startServer({ agencies: { solo: new Agency(new Agent({ name: 'Solo', model: 'demo' })) } })
  const web = { fetch, AbortController, AbortSignal, TextDecoder, URL, setTimeout, clearTimeout, crypto }
  const page = createContext({ ...web })
  runInContext(code, page)
  const asked = `(async () => {
    const solo = client.createClient({ baseUrl: '${url}' }).agency('solo')
    const conversation = solo.conversation()
    let text = ''
    for await (const part of conversation.stream('Hello').text()) text += part
    const stream = solo.runs.stream('Hello')
    const { status, run_id } = await stream.result()
    await solo.runs.delete(run_id)
    return [text, JSON.stringify(conversation), status, stream.view.text]
  })()`
  const [text, saved, status, stored] = await runInContext(asked, page)
  expect(text).toContain('[demo model]')
  expect(JSON.parse(saved)).toHaveLength(2)
  expect([status, stored]).toEqual(['completed', text])
})

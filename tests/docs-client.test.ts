import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { agency, FormatAddress } from '../examples/starter/agency.ts'
import { emptyFolder, installInto, ROOT, start } from './support/cli.ts'
import { startServer } from './support/client.ts'

vi.setConfig({ testTimeout: 60_000 }) // a page runs in a process of its own

const DOCUMENT = readFileSync(join(ROOT, 'docs/client.md'), 'utf8')
const blocks = (language: string) =>
  [...DOCUMENT.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] as string)

/** Runs a program that reaches the package by its name and the starter at the address the document names. */
async function runProgram(source: string, file: string) {
  const { url } = await startServer({ agencies: { starter: agency }, tools: [FormatAddress] })
  const folder = emptyFolder()
  installInto(folder)
  writeFileSync(join(folder, file), source.replaceAll('http://localhost:8000', url))
  return start(process.execPath, [join(folder, file)], { cwd: folder, input: '' }).ended
}

test('the blocks of docs/client.md run as one program', async () => {
  const { code, out, err } = await runProgram(blocks('ts').join('\n'), 'program.ts')
  expect(err).toBe('')
  expect(code).toBe(0)
  for (const said of [
    '17 + 25 = 42',
    'Guide begins, asked by you',
    'Researcher begins, asked by Guide',
    'calls get_weather {"city":"Paris"}',
    'Support\n',
    "invalid_request 422 [ 'body', 'recipient_agent' ]",
    'Main 5\nBonn',
    "[ 'Guide', 'Researcher', 'Support' ] 5",
    'true\n',
    'so far: [demo model] Researcher answered',
    'completed [demo model] The tool add_numbers answered: 17 + 25 = 42',
    'assistant Guide',
  ])
    expect(out).toContain(said)
})

test("the page's script streams the answer in at most 30 lines", async () => {
  const [page = ''] = blocks('html')
  expect(page.trimEnd().split('\n').length).toBeLessThanOrEqual(30)
  const [, script = ''] = /<script type="module">(.*?)<\/script>/s.exec(page) ?? []
  const stub = `const parts = {}
globalThis.document = { getElementById: (id) => (parts[id] ??= { pieces: 0, append(text) { this.textContent += text; this.pieces++ } }) }
`
  const submit = `
await parts.ask.onsubmit({ preventDefault() {}, target: { question: { value: 'Ask the Researcher about the weather in Paris' } } })
console.log(JSON.stringify(parts.answer))`
  const { out, err } = await runProgram(stub + script + submit, 'page.mjs')
  expect(err).toBe('')
  const { textContent, pieces } = JSON.parse(out)
  expect(textContent).toMatch(/^\[demo model\] Researcher answered: .*In Paris it is rainy/)
  expect(pieces).toBeGreaterThan(5)
})

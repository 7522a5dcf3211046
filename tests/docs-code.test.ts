import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { typesOf } from '../scripts/declarations.ts'
import { type Page, ROOT, readDoors, readPage, readPages, toModule } from './support/docs.ts'
import { agrees, runPage, startDemoUpstream } from './support/docs-run.ts'

const pages = readPages()
const runnable = pages.filter((page) => page.blocks.some((block) => block.run))
const typescript = ({ blocks }: Page) => blocks.filter((block) => block.language === 'ts').map((block) => block.code)

/** What the compiler says of these modules, each importing the package by its name. */
function compile(modules: { [file: string]: string }): string {
  const folder = mkdtempSync(join(tmpdir(), 'docs-code-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (const [file, text] of Object.entries(modules)) writeFileSync(join(folder, file), `${text}\nexport {}\n`)
  const config = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: {
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
      paths: Object.fromEntries(Object.entries(readDoors()).map(([name, source]) => [name, [typesOf(source)]])),
    },
    include: [],
    files: Object.keys(modules),
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const { stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
  return `${stdout}${stderr}`
}

/** The TypeScript blocks behind `@example` in the doc comments of the sources. */
const readExamples = () =>
  readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [
      ...readFileSync(join(ROOT, 'src', file), 'utf8').matchAll(/@example\n[ *]*```ts\n(.*?)\n[ *]*```/gs),
    ])
    .map(([, block = '']) => block.replaceAll(/^ *\* ?/gm, ''))

const fenced = (info: string, code: string) => `\`\`\`${info}\n${code}\n\`\`\`\n`
/** A page of two blocks, the second of which builds on the first. */
const pageOf = (second: string) =>
  toModule(
    typescript(
      readPage(
        'page',
        fenced('ts', "import { Agent } from 'agency-swarm-js'\nconst a = new Agent({ name: 'A' })") +
          fenced('ts run', second),
      ),
    ),
  )

test('every TypeScript block of documents and doc comments compiles', { timeout: 120_000 }, () => {
  const modules: { [file: string]: string } = {
    'fine.ts': pageOf(
      "import { Agency, Agent } from 'agency-swarm-js'\nnew Agency(a)\nconst b = new Agent({ name: 'B' })",
    ),
    'broken.ts': pageOf("import { Agency } from 'agency-swarm-js'\nnew Agency(a, { user_context: {} })"),
  }
  const examples = readExamples()
  expect(examples.length).toBeGreaterThan(3)
  for (const [index, code] of examples.entries()) modules[`example-${index}.ts`] = toModule([code])
  for (const page of pages) if (typescript(page).length > 0) modules[`${page.name}.ts`] = toModule(typescript(page))
  expect(Object.keys(modules)).toEqual(expect.arrayContaining(['README.ts', 'usage.ts', 'migrating-from-python.ts']))
  const output = compile(modules)
  const complaints = output.split('\n').filter((line) => line.includes('error TS'))
  expect(complaints.filter((line) => !line.includes('broken.ts'))).toEqual([])
  expect(output).toContain("'user_context' does not exist")
})

test.concurrent.for(runnable)(
  'the code of $name runs and prints what the page says',
  { timeout: 120_000 },
  async (page, { expect }) => {
    const upstream = await startDemoUpstream()
    const run = await runPage(page, upstream.baseURL)
    upstream.close()
    expect(run.failure).toBe('')
    for (const block of run.blocks) if (!agrees(block)) expect(block.printed, block.code).toBe(block.expected)
  },
)

test('a page that fails or prints something else is noticed', { timeout: 120_000 }, async () => {
  const text = fenced('ts run', 'const n = 1 + 1\nconsole.log("it is", n)') + fenced('text', 'it ... 2')
  const wrong =
    fenced('sh run', 'echo $((1 + 1))') + fenced('text', '3') + fenced('ts run', 'throw new Error("no " + n)')
  const { failure, blocks } = await runPage(readPage('page', text + wrong), '')
  expect(failure).toContain('no 2')
  expect(blocks.map((block) => [block.printed, agrees(block)])).toEqual([
    ['it is 2', true],
    ['2', false],
    ['', true],
  ])
})

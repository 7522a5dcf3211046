import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const documents = [
  join(root, 'README.md'),
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, 'docs', name)),
]

/**
 * The TypeScript blocks of a document as one module. A block sees what those before it declare and may declare the same
 * names anew, so each is a scope inside the one before; imports stand at the top, each name once.
 */
function toModule(markdown: string): { blocks: number; module: string } {
  const names = new Map<string, Set<string>>()
  const blocks = [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) =>
    code.replace(/^import \{([^}]*)\} from ('[^']+')\n/gm, (_, list: string, from: string) => {
      const known = names.get(from) ?? new Set()
      for (const name of list.split(',')) if (name.trim() !== '') known.add(name.trim())
      names.set(from, known)
      return ''
    }),
  )
  const imports = [...names].map(([from, list]) => `import { ${[...list].join(', ')} } from ${from}`)
  return {
    blocks: blocks.length,
    module: [...imports, ...blocks.map((code) => `{\n${code}`), '}'.repeat(blocks.length)].join('\n'),
  }
}

/** What the compiler says of these modules, each importing the package by its name. */
function compile(modules: { [file: string]: string }): string {
  const folder = mkdtempSync(join(tmpdir(), 'docs-code-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const [file, text] of Object.entries(modules)) writeFileSync(join(folder, file), `${text}\nexport {}\n`)
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
      paths: {
        'agency-swarm-js': [join(root, 'src/index.ts')],
        'agency-swarm-js/fastify': [join(root, 'src/fastify.ts')],
        'agency-swarm-js/client': [join(root, 'src/client/index.ts')],
        'agency-swarm-js/otel': [join(root, 'src/otel.ts')],
      },
    },
    include: [],
    files: Object.keys(modules),
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const { stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
  return `${stdout}${stderr}`
}

/** Two blocks, the second of which builds on the first. */
const page = (second: string) =>
  toModule(
    `\`\`\`ts\nimport { Agent } from 'agency-swarm-js'\nconst a = new Agent({ name: 'A' })\n\`\`\`\n\`\`\`ts\n${second}\n\`\`\`\n`,
  ).module

test('every TypeScript block of the documents compiles against the sources, and one that does not would be noticed', () => {
  const modules: { [file: string]: string } = {
    'fine.ts': page(
      "import { Agency, Agent } from 'agency-swarm-js'\nnew Agency(a)\nconst b = new Agent({ name: 'B' })",
    ),
    'broken.ts': page("import { Agency } from 'agency-swarm-js'\nnew Agency(a, { user_context: {} })"),
  }
  for (const path of documents) {
    const { blocks, module } = toModule(readFileSync(path, 'utf8'))
    if (blocks > 0) modules[`${basename(path, '.md')}.ts`] = module
  }
  expect(Object.keys(modules)).toEqual(expect.arrayContaining(['README.ts', 'usage.ts', 'migrating-from-python.ts']))
  const said = compile(modules)
  const complaints = said.split('\n').filter((line) => line.includes('error TS'))
  expect(complaints.filter((line) => !line.includes('broken.ts'))).toEqual([])
  expect(said).toContain("'user_context' does not exist")
})

// Measures the cost of importing the package for the compiler: type files read, types and instantiations created.
//   npm run bench:types                 prints the figures
//   npm run bench:types -- --check      fails over the budget
//   npm run bench:types -- --write      writes them to docs/benchmarks.md
// Counts, not times: they are the same on every machine.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeMeasured } from '../scripts/write-measured.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** A program for each entry point: its imports and its budget. Give the reason in the commit when you raise a figure. */
const PROGRAMS = [
  {
    name: 'an agency with a tool, structured output and a server',
    budget: { files: 820, types: 38_000, instantiations: 90_000 },
    code: `
import { Agency, Agent, serve, tool } from 'agency-swarm-js'
import { z } from 'zod'
const find = tool({ name: 'find', parameters: z.object({ city: z.string() }), execute: ({ city }) => city })
const agent = new Agent({ name: 'Guide', model: 'demo', tools: [find], outputType: z.object({ title: z.string() }) })
const agency = new Agency(agent, { userContext: { user: 'ann' } })
export const title: string = (await agency.getResponse('Hi')).finalOutput.title
export const user: string = agency.userContext.user
await serve({ agencies: { agency } })
`,
  },
  {
    name: 'a client',
    budget: { files: 240, types: 1_400, instantiations: 1_700 },
    code: `
import { createClient } from 'agency-swarm-js/client'
const client = createClient({ baseUrl: '/ai' })
export const text: string = (await client.agency('guide').getResponse('Hi')).response
`,
  },
]

const options = {
  target: 'ES2024',
  lib: ['ES2024', 'DOM'],
  module: 'NodeNext',
  types: [],
  strict: true,
  skipLibCheck: true,
  noEmit: true,
}

/** Compiles a program against the built package, as a project does that has installed it. */
function compile(code) {
  const folder = mkdtempSync(join(tmpdir(), 'type-cost-'))
  try {
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules/agency-swarm-js'), 'dir')
    symlinkSync(join(root, 'node_modules/zod'), join(folder, 'node_modules/zod'), 'dir')
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['main.ts'] }))
    writeFileSync(join(folder, 'main.ts'), code)
    const tsc = join(root, 'node_modules/.bin/tsc')
    const { status, stdout } = spawnSync(tsc, ['-p', folder, '--extendedDiagnostics'], { encoding: 'utf8' })
    if (status !== 0) throw new Error(stdout)
    const figure = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(stdout)?.[1])
    return { files: figure('Files'), types: figure('Types'), instantiations: figure('Instantiations') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const rows = PROGRAMS.map(({ name, budget, code }) => ({ name, budget, cost: compile(code) }))
const over = rows.flatMap(({ name, budget, cost }) =>
  Object.entries(budget).flatMap(([kind, most]) =>
    cost[kind] <= most ? [] : [`${name}: ${cost[kind]} ${kind}, of at most ${most}`],
  ),
)
const format = (count) => count.toLocaleString('en')
const table = [
  '| importing | files of types | types | instantiations |',
  '| --- | --- | --- | --- |',
  ...rows.map(
    ({ name, budget, cost }) =>
      `| ${name} | ${['files', 'types', 'instantiations'].map((kind) => `${format(cost[kind])} (at most ${format(budget[kind])})`).join(' | ')} |`,
  ),
].join('\n')
console.log(table)
if (process.argv.includes('--write')) writeMeasured('docs/benchmarks.md', 'npm run bench:types -- --write', table)
if (over.length > 0) {
  console.error(`Beyond the budget:\n${over.join('\n')}`)
  if (process.argv.includes('--check')) process.exit(1)
}

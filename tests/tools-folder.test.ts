import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, readDoors } from './support/docs.ts'
import { useFolder } from './support/folder.ts'

/** Runs a program in a folder of its own, as a user would: with the package by its name, in a process of Node. */
function run(files: { [path: string]: string }) {
  const folder = useFolder()
  const own = join(folder, 'node_modules/agency-swarm-js')
  mkdirSync(own, { recursive: true })
  const exports = Object.fromEntries(
    Object.entries(readDoors()).map(([name, source]) => [name.replace('agency-swarm-js', '.'), `./${source}`]),
  )
  writeFileSync(join(own, 'package.json'), JSON.stringify({ name: 'agency-swarm-js', type: 'module', exports }))
  symlinkSync(join(ROOT, 'src'), join(own, 'src'))
  symlinkSync(join(ROOT, 'node_modules/zod'), join(folder, 'node_modules/zod'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const { stdout, stderr } = spawnSync(process.execPath, [join(folder, 'src/main.ts')], { encoding: 'utf8', cwd: '/' })
  return { stdout: stdout.trim(), stderr }
}

const simple = (name: string) =>
  `import { tool } from 'agency-swarm-js'\nexport const ${name} = tool({ name: '${name}', execute: () => '${name}' })\n`
const classes = `import { BaseTool } from 'agency-swarm-js'
export default class Weather extends BaseTool.define({}) { static description = 'Tells.'; run() { return 'sun' } }
export const helper = () => 1
`
const files = {
  'src/tools/b.ts': simple('second'),
  'src/tools/a.mjs': `${simple('first')}export const same = first\nexport const more = [first]\n`,
  'src/tools/weather.ts': classes,
  'src/tools/_helper.ts': 'throw new Error("loaded")',
  'src/tools/b.test.ts': 'throw new Error("loaded")',
  'src/tools/notes.md': '',
  'src/tools/types.d.ts': 'export {}',
}
const names = (tools: string) => `console.log(${tools}.map(({ toolName, name }) => toolName ?? name).join(' '))`

test('toolsFolder adds every exported tool of every file, by name', () => {
  const agent = "new Agent({ name: 'Desk', toolsFolder: './tools' })"
  const { stdout } = run({
    ...files,
    'src/main.ts': `import { Agent } from 'agency-swarm-js'\n${names(`${agent}.tools`)}\n${names(`${agent}.clone().tools`)}`,
  })
  expect(stdout).toBe('first second Weather\nfirst second Weather')
})

test('loadTools gives the same tools, and modules may await at their top', () => {
  const { stdout } = run({
    ...files,
    'src/tools/later.ts': `await Promise.resolve()\n${simple('later')}`,
    'src/main.ts': `import { loadTools } from 'agency-swarm-js'\n${names("(await loadTools('./tools'))")}`,
  })
  expect(stdout).toBe('first second later Weather')
})

test('sharedToolsFolder gives its tools to every agent', () => {
  const { stdout } = run({
    ...files,
    'src/main.ts': `import { Agency, Agent } from 'agency-swarm-js'
const agency = new Agency([new Agent({ name: 'A' }), new Agent({ name: 'B' })], { sharedToolsFolder: 'tools' })
for (const name of ['A', 'B']) ${names('agency.role(name).all')}`,
  })
  expect(stdout).toBe('first second Weather\nfirst second Weather')
})

test.for([
  ['a file that cannot be loaded', 'x.ts', 'throw new Error("no database")', /x\.ts cannot be loaded: no database/],
  ['a file without a tool', 'x.ts', 'export const a = 1', /x\.ts exports no tool.*begin the file's name with _/],
  ['a tool with a fault', 'x.ts', 'export default { kind: "function", name: "a b" }', /x\.ts: .*a b/],
  ['a module that awaits', 'x.ts', 'await 1\nexport {}', /x\.ts cannot be loaded: .*await loadTools/],
])('the error of %s names the file', ([, name, text, error]) => {
  const { stderr } = run({
    [`src/tools/${name}`]: text as string,
    'src/main.ts': "import { Agent } from 'agency-swarm-js'\nnew Agent({ name: 'Desk', toolsFolder: './tools' })",
  })
  expect(stderr).toMatch(error as RegExp)
})

test('two tools of one name are refused, and so is a folder that is missing', () => {
  const main = "import { Agent } from 'agency-swarm-js'\nnew Agent({ name: 'Desk', toolsFolder: './tools' })"
  const twins = run({ 'src/tools/a.ts': simple('one'), 'src/tools/b.ts': simple('one'), 'src/main.ts': main })
  expect(twins.stderr).toMatch(/DUPLICATE_NAME|two different tools "one"/)
  expect(run({ 'src/main.ts': main }).stderr).toMatch(/toolsFolder of agent "Desk": there is no folder "\.\/tools"/)
})

test('loadTools takes a single file, and names what it does not find', () => {
  const { stdout } = run({
    ...files,
    'src/main.ts': `import { loadTools } from 'agency-swarm-js'
${names("(await loadTools('./tools/weather.ts'))")}
await loadTools('./none.ts').catch(({ message }) => console.log(message))`,
  })
  expect(stdout).toMatch(/^Weather\nThe path of loadTools\(\): there is no folder or file ".\/none.ts"/)
})

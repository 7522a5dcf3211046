import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'
import { expect, test } from 'vitest'
import { Agency, Agent } from '../src/index.ts'
import { promise } from './promises.ts'
import { emptyFolder, ROOT } from './support/cli.ts'

const LIBRARY = JSON.stringify(pathToFileURL(join(ROOT, 'src/index.ts')).href)

/** A project of these files; each may import LIBRARY. */
function project(files: { [path: string]: string | Uint8Array }): string {
  const folder = emptyFolder()
  for (const [path, content] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  return folder
}

/** What a program prints, started from another folder. */
function run(program: string): string {
  const { stdout, stderr } = spawnSync(process.execPath, [program], { cwd: emptyFolder(), encoding: 'utf8' })
  return `${stdout}${stderr}`
}
const agentWith = (instructions: string) =>
  `new Agent({ name: 'Desk', model: 'demo', instructions: ${JSON.stringify(instructions)} })`
const IMPORT = `import { Agent, Agency } from ${LIBRARY}\n`

/** Layout of a project -> its files; main prints the instructions of the Desk, which stand beside the module that makes it. */
const layouts: { [name: string]: { [path: string]: string } } = {
  'beside the main module': {
    'main.ts': `${IMPORT}console.log(${agentWith('./desk.md')}.instructions)`,
    'desk.md': 'found',
  },
  'in a folder beside the module': {
    'main.ts': `import { desk } from './agents/desk.ts'\nconsole.log(desk.instructions)`,
    'agents/desk.ts': `${IMPORT}export const desk = ${agentWith('prompts/desk.md')}`,
    'agents/prompts/desk.md': 'found',
  },
  'above the module': {
    'main.ts': `import { desk } from './agents/desk.ts'\nconsole.log(desk.instructions)`,
    'agents/desk.ts': `${IMPORT}export const desk = ${agentWith('../prompts/desk.md')}`,
    'prompts/desk.md': 'found',
  },
  'beside a subclass': {
    'main.ts': `import { Desk } from './agents/desk.ts'\nconsole.log(new Desk().instructions)`,
    'agents/desk.ts': `${IMPORT}export class Desk extends Agent { constructor() { super({ name: 'Desk', instructions: './desk.md' }) } }`,
    'agents/desk.md': 'found',
  },
  'beside the caller of a function that makes agents': {
    'main.ts': `import { make } from './lib/make.ts'\nconsole.log(make('./desk.md').instructions)`,
    'lib/make.ts': `${IMPORT}export const make = (instructions: string) => new Agent({ name: 'Desk', instructions })`,
    'desk.md': 'found',
  },
  'after an await, by its setter': {
    'main.ts': `import { desk } from './agents/desk.ts'\nconsole.log((await desk()).instructions)`,
    'agents/desk.ts': `${IMPORT}export async function desk() {
  await new Promise(setImmediate)
  const agent = new Agent({ name: 'Desk' })
  agent.instructions = './desk.md'
  return agent
}`,
    'agents/desk.md': 'found',
  },
  'the shared ones of an agency': {
    'main.ts': `import { agency } from './agents/agency.ts'\nconsole.log(agency.sharedInstructions)`,
    'agents/agency.ts': `${IMPORT}export const agency = new Agency(new Agent({ name: 'Desk' }), { sharedInstructions: 'shared.txt' })`,
    'agents/shared.txt': 'found',
  },
  'a file URL': {
    'main.ts': `${IMPORT}console.log(new Agent({ name: 'Desk', instructions: new URL('./my desk.md', import.meta.url) }).instructions)`,
    'my desk.md': 'found',
  },
  'a CommonJS module': {
    'main.cjs': `const { Agent } = require(${JSON.stringify(join(ROOT, 'src/index.ts'))})\nconsole.log(${agentWith('./desk.md')}.instructions)`,
    'desk.md': 'found',
  },
}

test.concurrent.for(Object.keys(layouts))('instructions are read from a file: %s', async (name, { expect }) => {
  const files = layouts[name] as { [path: string]: string }
  const folder = project(files)
  expect(run(join(folder, files['main.cjs'] === undefined ? 'main.ts' : 'main.cjs'))).toBe('found\n')
})

test('instructions are read from beside the file that a bundler wrote', async () => {
  promise('F1')
  const library = JSON.stringify(join(ROOT, 'src/index.ts'))
  const source = `import { Agent } from ${library}\nconsole.log(${agentWith('./desk.md')}.instructions)`
  const folder = project({ 'main.ts': source })
  const bundle = await rolldown({
    input: join(folder, 'main.ts'),
    platform: 'node',
    external: /^[^./]/,
  })
  await bundle.write({ file: join(folder, 'dist/server.mjs'), codeSplitting: false })
  await bundle.close()
  writeFileSync(join(folder, 'dist/desk.md'), 'found')
  expect(readFileSync(join(folder, 'dist/server.mjs'), 'utf8')).toContain('looks like the path of a file')
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  expect(run(join(folder, 'dist/server.mjs'))).toBe('found\n')
})

/** The bytes of a file -> what the agent is told, or the error. */
const utf16 = (text: string, mark: string) => Buffer.from(mark + text, 'utf16le')
const BOM = '\ufeff'
const files: [name: string, bytes: Uint8Array, read: string | RegExp][] = [
  ['UTF-8', Buffer.from('Grüße 你好 🌍'), 'Grüße 你好 🌍'],
  ['UTF-8 with a byte order mark', Buffer.from(`${BOM}Grüße`), 'Grüße'],
  ['UTF-16 little endian', utf16('Grüße 你好', BOM), 'Grüße 你好'],
  ['UTF-16 big endian', utf16('Grüße 你好', BOM).swap16(), 'Grüße 你好'],
  ['UTF-16 little endian without a mark', utf16('You are the Desk.', ''), 'You are the Desk.'],
  ['UTF-16 big endian without a mark', utf16('You are the Desk.', '').swap16(), 'You are the Desk.'],
  ['Windows line ends', Buffer.from('One\r\nTwo\r\n'), 'One\nTwo\n'],
  ['nothing', Buffer.alloc(0), ''],
  ['Latin-1', Buffer.from('Grüße', 'latin1'), /desk\.md" is not text in UTF-8 or UTF-16\. Save it as UTF-8/],
  ['a broken end', Buffer.from('Grüße').subarray(0, 3), /is not text/],
  ['a picture', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), /is not text/],
  ['UTF-32', Buffer.from('fffe00004100000042000000', 'hex'), /is not text/],
  ['too much', Buffer.alloc(1_048_577, 65), /is larger than the limit of 1048576 bytes/],
]

test.for(files)('instructions in a file of %s are read rightly or refused', ([, bytes, read]) => {
  const file = join(project({ 'desk.md': bytes }), 'desk.md')
  const make = () => new Agent({ name: 'Desk', instructions: file })
  if (typeof read === 'string') expect(make().instructions).toBe(read)
  else expect(make).toThrow(read)
})

test.for([
  './desk.md',
  '../prompts/desk.txt',
  'prompts/desk.md',
  './prompts/desk',
  'desk.md',
  'desk.txt',
  './my prompts/desk.md',
  '/nowhere/desk.md',
  '~/no-such-folder/desk.md',
  'C:\\prompts\\desk.md',
  '..\\desk.md',
  'file:///nowhere/desk.md',
  'file:desk%zz',
  ' ./desk.md\t',
  'agents/日本/desk.md',
  'desk.html',
  'desk.toml',
  'desk.docx',
  'https://prompts.example/desk.md',
  'https://prompts.example/desk',
])('the path %j with no file behind it is an error when the agent is made', (instructions) => {
  for (const make of [
    () => new Agent({ name: 'Desk', instructions }),
    () => new Agency(new Agent({ name: 'Desk' }), { name: 'shop', sharedInstructions: instructions }),
  ])
    expect(make).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(
          /^(instructions of agent "Desk"|sharedInstructions of agency "shop"): .*(desk|address)/,
        ),
      }),
    )
})

test.for([
  '',
  'Answer yes/no.',
  'Use Node.js',
  'You are the Desk. Read desk.md',
  'Reply with JSON such as {"path": "./desk.md"}',
  '/help lists your commands.',
  './run.sh is your tool: use it, then read notes.md',
  'Line one\n./desk.md',
  '你是助手，用中文/英文回答。',
  'a/b '.repeat(600),
  'Answer in French.',
  'TCP/IP',
  'and/or',
  'HTTP/1.1',
  'CI/CD',
  '24/7',
  'Node.js/Express.js',
  'prompts/desk',
  'I/O',
  '/help',
  'https',
  'client/server, peer/peer',
])('%j is a text, not a path', (instructions) => {
  const agent = new Agent({ name: 'Desk', instructions })
  expect(agent.instructions).toBe(instructions)
})

test("a folder is an error, and a clone does not reread a file's text", () => {
  const folder = project({ 'prompts/desk.md': 'other.md' })
  expect(() => new Agent({ name: 'Desk', instructions: join(folder, 'prompts') })).toThrow(/is a folder/)
  const agent = new Agent({ name: 'Desk', instructions: join(folder, 'prompts/desk.md') })
  expect(agent.clone({ name: 'Copy' }).instructions).toBe('other.md')
  expect(() => agent.clone({ instructions: './gone.md' })).toThrow(/no such file/)
  expect(() => new Agent({ name: 'Desk', instructions: 42 as unknown as string })).toThrow(
    /must be a text, a file URL or a function/,
  )
})

import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { portProject } from '../src/cli/port/port-project.ts'
import { readProject } from '../src/cli/port/project.ts'
import { addressOf, emptyFolder, ROOT, runCli, startCli } from './support/cli.ts'
import { post } from './support/client.ts'
import { compileAll, projectOf } from './support/new-project.ts'

vi.setConfig({ testTimeout: 60_000 }) // compilers and servers in their own processes
const AGENCY = join(ROOT, 'tests/support/python-agency')
const noPython = spawnSync('python3', ['--version']).status !== 0

/** Ports Python sources: file name -> text. */
async function portSources(files: Record<string, string>) {
  const folder = emptyFolder()
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  return portProject(await readProject(join(folder, 'agency.py')), 'agency.py')
}

test.skipIf(noPython)('a ported agency compiles and answers on the demo model', async () => {
  const { files, copies, packages } = portProject(await readProject(join(AGENCY, 'server.py')), 'server.py')
  expect(packages).toEqual(['@modelcontextprotocol/client', '@scalar/openapi-upgrader', 'yaml'])
  const folder = projectOf(files, copies)
  const compiled = compileAll([folder])

  const url = await addressOf(startCli(['serve', '--port', '0'], { cwd: folder, env: { DESK_TOKEN: 'token' } }))
  const headers = { authorization: 'Bearer token' }
  const { response } = (await (
    await post(`${url}/second/get_response`, { message: 'price_tool: 3' }, headers)
  ).json()) as { response: string }
  expect(response).toContain('[demo model]')
  const metadata = (await (await fetch(`${url}/desk/get_metadata`, { headers })).json()) as {
    nodes: { id: string; data: Record<string, unknown> }[]
    edges: { source: string; target: string; type: string }[]
  }
  const talks = metadata.edges.filter(({ type }) => type === 'communication')
  expect(talks.map(({ source, target }) => `${source} ${target}`).sort()).toEqual([
    'Desk Checker',
    'Desk Sales',
    'Desk Writer',
    'Sales Checker',
    'Sales Desk',
    'Writer Checker',
    'Writer Sales',
  ])
  const told = await (await post(`${url}/tool/PriceTool`, { product: 'Lamp' }, headers)).text()
  expect(told).toContain('TODO: port run() of PriceTool')
  expect(await compiled).toBe('')
})

test.skipIf(noPython)('options, flows and schemas are carried over, the rest is listed', async () => {
  const { files, copies, carried, todos } = portProject(await readProject(join(AGENCY, 'server.py')), 'server.py')
  const desk = files['src/desk_agency.ts'] as string
  for (const line of [
    "model: model('gpt-5.4')",
    "modelSettings: { temperature: 0.3, maxTokens: 2000, reasoning: { effort: 'low' }, extraBody: { frequency_penalty: 0.5 } }",
    "webSearch({ searchContextSize: 'low' })",
    "hostedMcp({ serverLabel: 'docs', serverUrl: 'https://docs.example.com', requireApproval: 'never' })",
    'flow(desk, writer, checker)',
    '[desk, sales, Briefed]',
    '[sales, checker]',
    '[desk, checker, [SendMessage, Handoff]]',
    "priority: Priority.default('low')",
    "limit: z.int().default(3).describe('How many.')",
    "new Agency(sales, { sharedInstructions: 'Be kind.', communicationFlows: [[sales, checker]] })",
    'timeoutMs: 5 * 1000',
    '// return found.text',
  ])
    expect(desk).toContain(line)
  const shapes = files['src/shapes.ts']
  expect(shapes).toContain("sku: z.string().min(2).max(9).regex(new RegExp('^[A-Z]\\\\d+$'))")
  expect(shapes).toContain("score: z.int().gte(1).lte(5).describe('One to five')")
  expect(Object.keys(copies).sort()).toEqual([
    'src/sales/files',
    'src/sales/instructions.md',
    'src/schemas',
    'src/shared.md',
    'src/writer.md',
  ])
  expect(files['.env.example']).toMatch(/^#NOTES_KEY=\n#REGISTRY=\n#SHOP_KEY=$/m)
  expect(carried).toContain('4 agents')
  const page = files['PORTING.md'] as string
  for (const entry of [
    'desk_agency.py:37`: the code of the tool `find_order`',
    'sales/tools/PriceTool.py:22`: check() of the tool `PriceTool`, a validator',
    'desk_agency.py:53`: the guardrail `only_orders`',
    'desk_agency.py:89`: `files_folder="./no_such_folder"`',
    'desk_agency.py:115`: `randomize_agent_voices=True`',
    'server.py:18`: `oauth_registry=os.environ["REGISTRY"]` of run_fastapi',
  ])
    expect(page).toContain(entry)
  expect(page.match(/^- \[ \] /gm)).toHaveLength(todos)
})

test.skipIf(noPython)('agents made in functions and in main blocks are found', async () => {
  const { files } = await portSources({
    'agency.py': `import asyncio
from agency_swarm import Agency, Agent
from agents import OpenAIChatCompletionsModel
from missing_package import client

def create_helper(name="x"):
    return Agent(name="Helper", model=OpenAIChatCompletionsModel(model="m", openai_client=client))

async def main():
    helper = create_helper(name="y")
    for _ in range(2):
        print("x")
    agency = Agency(helper, communication_flows=[])
    print(await agency.get_response("hi"))

if __name__ == "__main__":
    asyncio.run(main())
`,
  })
  expect(files['agency.ts']).toContain('agencies: { agency: main() }')
  expect(files['src/agency.ts']).toMatch(
    /const helper = createHelper\(\)\n {2}const agency = new Agency\(helper\)\n {2}return agency/,
  )
  expect(files['PORTING.md']).toMatch(/`agency\.py:7`: .*its client, key or address/)
  expect(files['PORTING.md']).toContain('`agency.py:10`: the arguments of `create_helper(name="y")`')
})

// A clone is packed into the project: that takes a build.
test.skipIf(noPython)('the command writes a project, and keeps files that exist', { timeout: 180_000 }, async () => {
  const folder = emptyFolder()
  writeFileSync(join(folder, 'broken.py'), 'def f(:\n')
  writeFileSync(join(folder, 'empty.py'), 'print("hello")\n')
  const run = (...args: string[]) => runCli(['port', ...args], { cwd: folder })
  const made = await run(join(AGENCY, 'server.py'), 'desk', '--no-install')
  expect(made).toMatchObject({ code: 0, out: '' })
  expect(made.err).toMatch(/Carried over from server\.py: .*\nLeft to do: \d+ entries in desk\/PORTING\.md\.\n/)
  for (const file of ['package.json', 'tsconfig.json', 'Dockerfile', '.gitignore', 'src/sales/files/terms.md'])
    expect(existsSync(join(folder, 'desk', file)), file).toBe(true)
  const [again, broken, empty, text, none, unnamed] = await Promise.all([
    run(join(AGENCY, 'server.py'), 'desk', '--no-install'),
    run('broken.py'),
    run('empty.py'),
    run('package.json'),
    run('none.py'),
    run(),
  ])
  expect(again).toMatchObject({ code: 1, err: expect.stringContaining('Nothing was written; --force overwrites them') })
  expect(broken).toMatchObject({ code: 1, err: expect.stringMatching(/broken\.py is not valid Python: line 1: /) })
  expect(empty).toMatchObject({ code: 1, err: expect.stringContaining('create no agency and no agent') })
  expect(none).toMatchObject({ code: 1, err: 'error: There is no file none.py.\n' })
  expect([text.code, unnamed.code]).toEqual([1, 2])
})

test('a machine without Python is told what to install', async () => {
  const nowhere = emptyFolder()
  const { code, err } = await runCli(['port', join(AGENCY, 'server.py')], { cwd: nowhere, env: { PATH: nowhere } })
  expect({ code, err }).toEqual({
    code: 1,
    err: expect.stringMatching(/There is no Python .* Install Python 3\.8 or newer/),
  })
})

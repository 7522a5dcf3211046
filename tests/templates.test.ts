import { expect, test } from 'vitest'
import { KINDS, readTemplates } from '../src/cli/init.ts'
import { runCli, start } from './support/cli.ts'
import { compileAll, projectOf } from './support/new-project.ts'

test('every template compiles, and passes its test on the demo model', { timeout: 120_000 }, async () => {
  const names = Object.keys(KINDS)
  expect(names).toEqual(['basic', 'research', 'support', 'tools'])
  const folders = names.map((name) => projectOf(readTemplates(name, 'my-shop')))
  const compiled = compileAll(folders)
  for (const [index, name] of names.entries()) {
    const { code, out, err } = await start('node', ['--test'], { cwd: folders[index] as string }).ended
    expect({ name, code, out, err }).toMatchObject({
      code: 0,
      out: expect.stringMatching(/pass [1-9]\n[\s\S]*fail 0\n/),
    })
  }
  expect(await compiled).toBe('')
  for (const name of names) {
    const files = readTemplates(name, 'my-shop')
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(['AGENTS.md', 'README.md', '.gitignore', 'agency.test.ts']),
    )
    expect(Object.values(files).join('')).not.toMatch(/__(NAME|AGENCY)__/)
  }
})

test('an unknown template is refused with the names of all', async () => {
  expect(await runCli(['init', 'x', '--template', 'reserch'])).toMatchObject({
    code: 2,
    err: 'error: There is no template "reserch". Templates: basic, research, support, tools.\n',
  })
})

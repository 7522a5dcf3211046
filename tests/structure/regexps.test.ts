import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { checkFiles, findRegExps } from '../../scripts/check-regexps.ts'

const judged = (code: string) => {
  const folder = mkdtempSync(join(tmpdir(), 'regexps-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'code.js')
  writeFileSync(file, code)
  return checkFiles([file], folder)
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: it is code
test.for([
  ['nested repetition', 'export const x = /^(a+)+$/'],
  ['two neighbours that take the same characters', 'f(/^data:([^;,]+)[^,]*;base64,(.*)$/s)'],
  ['an end that is tried from every start', "text.replace(/[^\\w].*$/, '')"],
  ['blanks at the end', "const trim = (t) => t.replace(/\\s+$/, '')"],
  ['slashes at the end, in a class', "class A { b = 'x'.replace(/\\/+$/, '') }"],
  ['alternatives that overlap', 'async function* g() { yield /^(?:a|aa)+$/ }'],
  ['a lookbehind is looked at too', 'const x = /(?<!b)(a+)+c/'],
  ['a quadratic one beside a lookbehind', "t.replace(/(?<!x)\\s+$/, '')"],
  ['a constant text', "new RegExp('^(a|a)*$')"],
  ['a template without values', 'RegExp(`(x+x+)+y`, "i")'],
  ['String.raw', 'const r = new RegExp(String.raw`^(\\d+)*$`)'],
  ['a constant of the module', "const part = '(a+)+'; const r = new RegExp('^' + part + '$')"],
  ['constants in a template', 'const a = "x+", b = String.raw`x+`; f(new RegExp(`(${a}${b})+y`))'],
  ['texts that are joined', "new RegExp('^(a+' + ')+$')"],
  ['in a template and a default', 'const f = (a = `${t.replace(/(a*)*b/, "")}`) => a'],
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: it is code
] as const)('%s: an expression that is not linear is found', async ([, code]) => {
  const { problems, count } = await judged(`import y from 'y'\n${code}\n`)
  expect(count).toBe(1)
  expect(problems).toEqual([expect.stringMatching(/^code\.js:2 .* takes (polynomial|exponential) time/)])
})

test.for([
  ['a list of characters', 'const x = /^[a-z]+$/'],
  ['one run of slashes', 'const x = /(?<!\\/)\\/+$/'],
  ['neighbours that share nothing', 'const x = /^bearer +([^ ].*)$/i'],
  ['a copy of a literal', 'const x = /^a+$/; const y = new RegExp(/^a+$/, "g")'],
  ['classes of Unicode', 'const x = /[\\p{Cc}\\p{Cf}]/gu'],
] as const)('%s: a linear expression passes', async ([, code]) => {
  expect((await judged(code)).problems).toEqual([])
})

test('an expression that is put together at run time passes only with a sample', async () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code
  const { problems } = await judged('const f = (name) => new RegExp(`^${name}$`)')
  expect(problems).toEqual([expect.stringContaining('put together at run time')])
})

test('comments, divisions and texts are not regular expressions', () => {
  expect(findRegExps('const a = 1 / 2 / 3 // /(a+)+$/\nconst b = "/(a+)+$/"\nconst c = [/a/, /b/g]')).toMatchObject([
    { line: 3, source: 'a', flags: '' },
    { line: 3, source: 'b', flags: 'g' },
  ])
})

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { promise } from './promises.ts'

const root = join(import.meta.dirname, '..')
const shipped = readFileSync(join(root, 'src/models/pricing/prices.data.ts'), 'utf8')
const linesOf = (module: string) => module.slice(module.indexOf('`\n') + 2, -3).split('\n')

test('the shipped prices are what the script makes of their source', () => {
  promise('D3')
  const folder = mkdtempSync(join(tmpdir(), 'prices-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const out = join(folder, 'prices.ts')
  const source = join(import.meta.dirname, 'support/price-source.json')
  const [, version, date] = /LiteLLM ([\d.]+), taken on (\d{4}-\d{2}-\d{2})/.exec(shipped) as unknown as string[]
  const args = [join(root, 'scripts/update-prices.mjs'), source, '--version', `${version}`, '--date', `${date}`]
  execFileSync(process.execPath, [...args, '--out', out])
  const made = readFileSync(out, 'utf8')
  // An excerpt of the source, worked out by hand.
  expect(linesOf(made)).toEqual([
    'anthropic.claude-instant-v1 0.8,2.4 100000/8191',
    'azure/codex-mini 1.5,6,0.375 200000/100000',
    'claude-sonnet-5-5 2,10,0.1,2.5 1000000/128000',
    'claude-sonnet-latest 2,10,0.1,2.5 1000000/128000',
    'cloudflare/@cf/google/gemma-2b-it-lora 0,0 8192/8192',
    'dashscope/qwen-plus-2025-07-28 0.4,1.2,,,4 256:1.2,3.6,,,12 997952/32768',
    'gemini/gemini-2.5-pro 1.25,10,0.125 200:2.5,15,0.25 1048576/65536',
    'gpt-4.1 2,8,0.5 1047576/32768',
    'gpt-5.6-luna 0.2,1.2,0.02,0.25 272:0.4,1.8,0.04,0.5 922000/128000',
    'gpt-audio 2.5,10,,,,32,64 128000/16384',
    'perplexity/sonar-deep-research 2,8,,,3 128000/128000',
  ])
  const known = new Set(linesOf(shipped))
  expect(linesOf(made).filter((line) => !known.has(line))).toEqual([])
  const headOf = (module: string) => module.slice(0, module.indexOf('`\n'))
  expect(headOf(made)).toBe(headOf(shipped))
})

test('every line of the table names one model and has prices that can be read', () => {
  promise('D3')
  const lines = linesOf(shipped)
  expect(lines.length).toBeGreaterThan(3000)
  const cells = String.raw`\d+(\.\d+)?(e-\d+)?(,(\d+(\.\d+)?(e-\d+)?)?){0,6}`
  const line = new RegExp(String.raw`^[!-~]+ ${cells}( \d+(\.\d+)?:,*${cells})*( (\d+\/\d*|\/\d+))?$`)
  expect(lines.filter((text) => !line.test(text))).toEqual([])
  expect(new Set(lines.map((text) => text.split(' ')[0])).size).toBe(lines.length)
  expect(shipped.length).toBeLessThan(250_000)
})

test('the model names that editors complete are chosen from the table', () => {
  promise('F1')
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/model-names.mjs'), '--check'], {
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

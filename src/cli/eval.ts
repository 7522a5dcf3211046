/** The command `eval`: runs datasets of conversations, and reports. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { errorText } from '../base/errors.ts'
import { EVALS_FOLDER } from '../base/folders.ts'
import type { Dataset } from '../testing/evals/dataset.ts'
import { isObject } from '../wire/json.ts'
import { defineCommand } from './command.ts'
import { noEvals, noFile, notAnEval, wrongArguments } from './errors.ts'
import { keepReport, toJUnit, toTable } from './eval-reports.ts'
import { writeResult } from './output.ts'
import { importFile, loadEnv, loadProject, loadTesting } from './project.ts'
import { toJson } from './terminal.ts'

const FOLDER = 'evals'

export const command = defineCommand({
  usage: '[files]',
  maxPositionals: 1_000,
  about: `Runs conversations and checks what the agents do. A file is a module whose
default export is made by defineEval(), or JSON; default: all in evals/.
The exit code is 1 when a case does not pass.`,
  options: {
    filter: { type: 'string', value: 'text', about: 'Only cases whose file or name has this text' },
    repeat: { type: 'string', value: 'number', about: 'Run each case this often' },
    concurrency: { type: 'string', value: 'number', about: 'Cases at the same time; default 4' },
    timeout: { type: 'string', value: 'seconds', about: 'For cases that set none; default 120' },
    'max-cost': { type: 'string', value: 'usd', about: 'US dollars for all cases together' },
    'judge-model': { type: 'string', value: 'name', about: 'The model that judges; default that of the file' },
    junit: { type: 'string', value: 'file', about: 'Write JUnit XML' },
    json: { type: 'string', value: 'file', about: 'Write the results as JSON' },
    results: { type: 'string', value: 'folder', about: `Keeps results; default ${EVALS_FOLDER}` },
  },
  async run({ values, positionals }, terminal) {
    loadEnv()
    const files = positionals.length > 0 ? positionals : listFiles()
    const datasets: { [name: string]: Dataset } = {}
    for (const file of files) datasets[nameOf(file)] = await readDataset(file)
    const { runEvals } = await loadTesting(resolve(files[0] as string))
    const timeout = readNumber('timeout', values.timeout)
    const report = await runEvals(datasets, {
      filter: values.filter,
      repeat: readNumber('repeat', values.repeat),
      concurrency: readNumber('concurrency', values.concurrency),
      timeoutMs: timeout === undefined ? undefined : timeout * 1_000,
      maxCostUsd: readNumber('max-cost', values['max-cost']),
      judgeModel: values['judge-model'],
      onResult: ({ dataset, case: name, status }) => terminal.note(`${status}: ${dataset} > ${name}`),
    })
    const kept = keepReport(values.results ?? EVALS_FOLDER, report)
    if (values.junit !== undefined) await writeResult(toJUnit(report), values.junit, terminal)
    if (values.json !== undefined) await writeResult(`${toJson(report, 2)}\n`, values.json, terminal)
    terminal.out(toTable(report))
    terminal.note(`Kept in ${kept}.`)
    return report.passed ? 0 : 1
  },
})

function listFiles(): string[] {
  const names = existsSync(FOLDER) ? readdirSync(FOLDER) : []
  const files = names.filter((name) => /(?<!\.d)\.([cm]?[jt]s|json)$/.test(name) && !/^[._]|\.test\./.test(name)).sort()
  if (files.length === 0) throw noEvals(`the folder ${FOLDER}`)
  return files.map((name) => join(FOLDER, name))
}

const nameOf = (file: string) => basename(file).replace(/(\.eval)?\.\w+$/, '')

/** @throws CommandError for a text that is not a number */
function readNumber(name: string, typed: string | undefined): number | undefined {
  if (typed === undefined) return undefined
  const value = Number(typed)
  if (!(typed.trim() !== '' && value > 0))
    throw wrongArguments(`--${name} must be a number above 0, not "${typed}".`, 'eval')
  return value
}

async function readDataset(file: string): Promise<Dataset> {
  if (!existsSync(file)) throw noFile(file)
  if (file.endsWith('.json')) return readJson(file)
  const { default: dataset } = await importFile(file)
  if (!isObject(dataset) || !('cases' in dataset))
    throw notAnEval(
      file,
      'its default export is no dataset. Write: export default defineEval({ agency, cases: [...] })',
    )
  return dataset as unknown as Dataset
}

/** A dataset in JSON names the module of its agency, relative to itself. */
async function readJson(file: string): Promise<Dataset> {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw notAnEval(file, errorText(error))
  }
  if (!isObject(value) || typeof value.agency !== 'string')
    throw notAnEval(file, '"agency" must be the path of the module that exports the agency, relative to this file.')
  const module = resolve(dirname(file), value.agency)
  const { options } = await loadProject(module)
  const [agency, ...others] = Object.values(options.agencies)
  if (agency === undefined || others.length > 0)
    throw notAnEval(
      file,
      `${value.agency} must export one agency; it exports ${others.length === 0 ? 'none' : 'several'}.`,
    )
  return { ...value, agency } as unknown as Dataset
}

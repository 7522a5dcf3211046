/** The command `record`: turns a stored run into a regression test. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, relative, resolve } from 'node:path'
import type { AgencyClient, Client } from '../client/index.ts'
import { createMask } from '../testing/masking.ts'
import { writeRecording } from '../testing/recording-file.ts'
import { callsOf, type RunRecording } from '../testing/run-recording.ts'
import type { StoredMessage } from '../wire/message.ts'
import { defineCommand } from './command.ts'
import { cannotWrite, filesExist, notRecordable, wrongArguments } from './errors.ts'
import { findProject, loadEnv } from './project.ts'
import { connect, listAgencies, type Target, withRemedy } from './target.ts'

/** The most messages of a thread that are read to find those before the run. */
const MAX_MESSAGES = 10_000

export const command = defineCommand({
  usage: '<run id>',
  maxPositionals: 1,
  about: `Reads a completed run from a server and writes a test that replays it offline:
a fixture with its messages, and a file for node --test. Secrets are masked.`,
  options: {
    url: { type: 'string', value: 'address', about: 'The server; default http://127.0.0.1:8000' },
    token: { type: 'string', value: 'token', about: 'Its bearer token; default APP_TOKEN' },
    agency: { type: 'string', value: 'name', about: 'The agency of the run; default all are searched' },
    out: { type: 'string', short: 'o', value: 'file', about: 'The test; default tests/run-<id>.test.ts' },
    from: { type: 'string', value: 'file', about: 'The module that exports the agency; default agency.ts' },
    force: { type: 'boolean', about: 'Overwrite existing files' },
  },
  async run({ values, positionals: [runId] }, terminal) {
    if (runId === undefined) throw wrongArguments('The id of a run is missing.', 'record')
    loadEnv()
    const target = connect(values.url ?? 'http://127.0.0.1:8000', values.token)
    const test = values.out ?? `tests/run-${runId.replace(/[^\w-]/g, '').slice(0, 8)}.test.ts`
    const fixture = `${test.replace(/(\.(test|spec))?\.[cm]?[jt]s$/, '')}.json`
    const taken = [test, fixture].filter((file) => existsSync(file))
    if (taken.length > 0 && values.force !== true) throw filesExist(taken, '.')
    const names = await terminal.during('Reading the agencies', listAgencies(target, values.agency))
    const mask = createMask({ ...process.env, APP_TOKEN: values.token ?? process.env.APP_TOKEN })
    const recording = mask(await terminal.during('Reading the run', withRemedy(target, read(target, names, runId))))
    writeRecording(fixture, recording)
    const text = toTest(recording, { test, fixture, module: values.from ?? findProject(undefined) ?? 'agency.ts' })
    await mkdir(dirname(test), { recursive: true })
    await writeFile(test, text).catch((cause: unknown) => {
      throw cannotWrite(test, cause)
    })
    terminal.note(`Wrote ${test} and ${fixture}. Run it: node --test ${test}`)
    return 0
  },
})

async function read({ client, name }: Target, names: readonly string[], runId: string): Promise<RunRecording> {
  const { agency, run } = await findRun(client, names, runId, name)
  if (run.status !== 'completed' || run.new_messages === null) throw notRecordable(runId, run.status)
  const history = run.thread_id === null ? [] : await readHistory(agency, run.thread_id, run.new_messages)
  return {
    kind: 'run',
    version: 1,
    run_id: run.run_id,
    agency: run.agency,
    recipient_agent: run.recipient_agent,
    history,
    new_messages: run.new_messages,
    response: run.response,
  }
}

async function findRun(client: Client, names: readonly string[], runId: string, server: string) {
  for (const name of names) {
    const agency = client.agency(name)
    const run = await agency.runs.get(runId).catch((error) => {
      if (error.status === 404) return undefined
      throw error
    })
    if (run !== undefined) return { agency, run }
  }
  throw notRecordable(runId, `unknown to ${server}`)
}

/** The messages of a thread before those of the run. */
async function readHistory(
  { threads }: AgencyClient,
  threadId: string,
  [first]: readonly StoredMessage[],
): Promise<StoredMessage[]> {
  const history: StoredMessage[] = []
  for await (const message of threads.messages(threadId, { limit: 100 })) {
    const begins = message.timestamp === first?.timestamp && message.run_trace_id === first.run_trace_id
    if (begins || history.length === MAX_MESSAGES) break
    history.push(message)
  }
  return history
}

function toTest(
  recording: RunRecording,
  { test, fixture, module }: { test: string; fixture: string; module: string },
): string {
  const path = relative(dirname(resolve(test)), resolve(module)).replaceAll('\\', '/')
  const calls = callsOf(recording).map(({ tool, agent, arguments: args }) => {
    const expectation = JSON.stringify({
      agent,
      ...(typeof args === 'object' && args !== null ? { arguments: args } : {}),
    })
    return `    .toHaveCalled(${JSON.stringify(tool)}, ${expectation})\n`
  })
  const { response } = recording
  return `import { test } from 'node:test'
import { expectRun, replay } from 'agency-swarm-js/testing'
import { agency } from ${JSON.stringify(path.startsWith('.') ? path : `./${path}`)}

test(${JSON.stringify(`run ${recording.run_id} goes as recorded`)}, async () => {
  const result = await replay(agency, new URL(${JSON.stringify(`./${basename(fixture)}`)}, import.meta.url))
  expectRun(result)
${[...new Set(calls)].join('')}    .toAnswer(${JSON.stringify(response)})
})
`
}

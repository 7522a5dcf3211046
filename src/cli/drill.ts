/** The command `drill`: tries the promises of a deployment, while its owner kills processes or deploys. */
import { connect } from '../client/http.ts'
import { defineCommand } from './command.ts'
import { type DrillReport, PROMISES, runDrill } from './drill-run.ts'
import { DrilledServer } from './drill-server.ts'
import { drillNeedsYes, outOfRange } from './errors.ts'
import { openServer, SERVER } from './runs.ts'
import { selectAgency } from './target.ts'
import { toJson } from './terminal.ts'

const NUMBERS = {
  runs: { value: 30, most: 10_000 },
  'at-once': { value: 4, most: 100 },
  seconds: { value: 120, most: 86_400 },
} as const
const MESSAGE = 'This is a drill. Answer with one sentence.'

export const command = defineCommand({
  usage: '',
  maxPositionals: 0,
  about: `Starts runs on a running server, cuts readers, repeats and cancels requests, and
checks what the server promises. Kill its processes or deploy meanwhile: the
drill waits for the server and measures how long it is away. Each run asks the
agency's model: use the demo model, or what it costs is real. Runs are removed
at the end. Exit code 1 when a promise is broken.`,
  options: {
    ...SERVER,
    yes: { type: 'boolean', short: 'y', about: 'Start the runs; without it the plan is printed' },
    runs: { type: 'string', value: 'number', about: 'Runs to start; default 30' },
    'at-once': { type: 'string', value: 'number', about: 'Runs at the same time; default 4' },
    seconds: { type: 'string', value: 'number', about: 'The time in which all have to end; default 120' },
    message: { type: 'string', value: 'text', about: 'What each run asks' },
    keep: { type: 'boolean', about: 'Leave the runs on the server' },
    json: { type: 'boolean', about: 'Print the report as JSON' },
  },
  async run({ values }, terminal) {
    const number = (name: keyof typeof NUMBERS) => readNumber(name, values[name])
    const [runs, atOnce, seconds] = [number('runs'), number('at-once'), number('seconds')]
    const target = openServer(values)
    const agency = await selectAgency(target, values.agency)
    if (values.yes !== true) throw drillNeedsYes(target.name, agency, runs)
    const connection = connect({ baseUrl: target.name, token: values.token ?? process.env.APP_TOKEN })
    const server = new DrilledServer(connection, 1000 * seconds)
    const began = performance.now()
    const { message = MESSAGE, keep = false } = values
    const report = await runDrill(server, { base: `/${encodeURIComponent(agency)}`, message, runs, atOnce, keep })
    const passed = Object.values(report.broken).every((broken) => broken.length === 0)
    const { connections, absences } = server
    const facts = { ...report, connections, absences, ms: Math.round(performance.now() - began) }
    const title = `Drill of ${target.name}, agency "${agency}"`
    terminal.out(values.json === true ? `${toJson({ passed, ...facts })}\n` : writeCard(title, facts))
    return passed ? 0 : 1
  },
})

function readNumber(name: keyof typeof NUMBERS, typed: string | undefined): number {
  const { value, most } = NUMBERS[name]
  if (typed === undefined) return value
  if (!/^\d{1,9}$/.test(typed) || Number(typed) < 1 || Number(typed) > most) throw outOfRange(`--${name}`, typed, most)
  return Number(typed)
}

type Facts = DrillReport & Pick<DrilledServer, 'connections' | 'absences'> & { ms: number }

/** Reasons that are shown of one broken promise. */
const MAX_SHOWN = 5

function writeCard(
  title: string,
  { statuses, takeOvers, checked, broken, times, absences, connections, ms }: Facts,
): string {
  const ended = Object.entries(statuses).map(([status, count]) => `${count} ${status}`)
  const longest = absences.length === 0 ? '' : `, ${(Math.max(...absences) / 1000).toFixed(1)} s at most`
  const rows = [
    ['runs', ended.join(', ') || 'none'],
    ['take-overs', String(takeOvers)],
    ['connections', `${connections.cut} cut by the drill, ${connections.broken} broken`],
    ['server away', `${absences.length} times${longest}`],
    ['first event', quantiles(times.firstEvent)],
    ['whole run', quantiles(times.run)],
    ['cancel', quantiles(times.cancel)],
  ] as const
  const promises = Object.entries(PROMISES).flatMap(([key, text]) => {
    const name = key as keyof typeof PROMISES
    const reasons = broken[name]
    if (checked[name] === 0) return [`  not tried  ${text}`]
    if (reasons.length === 0) return [`  kept       ${text} (${checked[name]})`]
    return [
      `  BROKEN     ${text} (${reasons.length} of ${checked[name]})`,
      ...reasons.slice(0, MAX_SHOWN).map((reason) => `             ${reason}`),
    ]
  })
  const figures = rows.map(([name, value]) => `  ${name.padEnd(11)} ${value}`)
  return `${[`${title}: ${(ms / 1000).toFixed(1)} s`, '', ...figures, '', ...promises].join('\n')}\n`
}

function quantiles(values: readonly number[]): string {
  if (values.length === 0) return '-'
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`
}

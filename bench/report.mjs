// Turns measurements into Markdown: the goals first, then every scenario.
//   node report.mjs results.json
import { readFileSync } from 'node:fs'
import { median } from './lib/load.mjs'

const OURS = 'agency-swarm-js'
const ORIGINAL = 'py-agency-swarm'
const RAW = 'raw-fast'

const number = (value, digits = 2) => {
  if (!Number.isFinite(value)) return '-'
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? Math.min(1, digits) : digits)
}
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

/** Functions that read one set of measurements. */
function read({ rows }) {
  const of = (scenario, server) => rows.filter((row) => row.scenario === scenario && row.server === server)
  const at = (scenario, server, round) => of(scenario, server).find((row) => row.round === round)
  const figure = (scenario, server, key) => median(of(scenario, server).map((row) => row[key]))
  /** The median over the rounds of a value that is computed within each round. */
  const inside = (work) => median([...new Set(rows.map((row) => row.round))].map(work).filter(Number.isFinite))
  const ratio = (scenario, above, below, key = 'cpuMs') =>
    inside((round) => at(scenario, above, round)?.[key] / at(scenario, below, round)?.[key])
  const slope = (server) => (round) =>
    ((at('long', server, round)?.cpuMs - at('short', server, round)?.cpuMs) / 999) * 1000
  return { of, at, figure, inside, ratio, slope }
}

/** The goals for this server: [name, value, must, stretch, unit, larger is better]. */
function goals(results) {
  const { at, inside, ratio, slope } = read(results)
  const better = (scenario) => ratio(scenario, ORIGINAL, OURS)
  const overhead = (round) => (server) => at('paced', server, round)?.first50 - at('paced', 'mock', round)?.first50
  const idle = results.idle[OURS]
  const reader = results.reader[OURS]
  const closed = Object.values(results.closed[OURS] ?? {}).map((entry) => entry.max)
  const start = (server) => median((results.start[server] ?? []).map((entry) => entry.cpu))
  return [
    ['burst (100 deltas), CPU: times less than the original', better('burst'), 35, 80, '', true],
    ['burst, CPU: times raw-fast', ratio('burst', OURS, RAW), 2.5, 1.3, '', false],
    [
      'slope per extra event: times raw-fast',
      inside((round) => slope(OURS)(round) / slope(RAW)(round)),
      1.8,
      1.1,
      '',
      false,
    ],
    ['paced (8 streams, 50 deltas, 20 ms), CPU: times less', better('paced'), 6, 11, '', true],
    ['tool turn, CPU: times less', better('tool_turn'), 20, 60, '', true],
    ['get_response, CPU: times less', better('get_response'), 15, 50, '', true],
    ['short stream, CPU: times less', better('short'), 15, 40, '', true],
    ['metadata, CPU: times less', better('metadata'), 30, 90, '', true],
    ['tool endpoint, CPU: times less', better('tool_endpoint'), 8, 15, '', true],
    [
      `${idle?.count ?? '-'} idle streams, memory of each`,
      idle?.opened === idle?.count ? idle?.kibPerStream : Number.NaN,
      125,
      70,
      ' KiB',
      false,
    ],
    ['reader asleep for 2.5 s: deltas lost', reader && reader.deltas - reader.found, 0, 0, '', false],
    [
      'upstream closed after drop or cancel, slowest',
      closed.length > 0 ? Math.max(...closed) : Number.NaN,
      100,
      25,
      ' ms',
      false,
    ],
    [
      'first delta, overhead: times less than the original',
      inside((round) => overhead(round)(ORIGINAL) / overhead(round)(OURS)),
      15,
      60,
      '',
      true,
    ],
    ['start to first answer, CPU: times less', start(ORIGINAL) / start(OURS), 8, 15, '', true],
  ]
}

export function report(results) {
  const { of, figure, ratio, inside, slope } = read(results)
  const out = [
    `Measured ${results.when.slice(0, 10)} on ${results.machine}, Node ${results.node}, ${results.rounds} rounds, load average ${results.load[0]} to ${results.load.at(-1)}.`,
    '',
  ]
  for (const [server, reason] of Object.entries(results.skipped)) out.push(`Not measured: ${server} (${reason})`, '')
  out.push(
    table(
      ['figure', 'measured', 'must', 'stretch', ''],
      goals(results).map(([name, value, must, stretch, unit, larger]) => {
        const reached = (goal) => (larger ? value >= goal : value <= goal)
        const verdict = !Number.isFinite(value) ? '-' : reached(stretch) ? 'stretch' : reached(must) ? 'must' : 'MISSED'
        const sign = larger ? '>=' : '<='
        return [name, number(value) + unit, `${sign} ${must}${unit}`, `${sign} ${stretch}${unit}`, verdict]
      }),
    ),
    '',
  )
  const servers = [...new Set(results.rows.map((row) => row.server))]
  for (const scenario of new Set(results.rows.map((row) => row.scenario))) {
    const head = [
      'server',
      'CPU ms per request',
      `times ${RAW}`,
      'us per event',
      'requests/s',
      'p50 ms',
      'p99 ms',
      'first delta p50 ms',
      'KiB per answer',
      'errors',
    ]
    const rows = servers
      .filter((server) => of(scenario, server).length > 0)
      .map((server) => [
        server,
        number(figure(scenario, server, 'cpuMs'), 3),
        number(ratio(scenario, server, RAW)),
        number(figure(scenario, server, 'perEventUs'), 1),
        number(figure(scenario, server, 'perSecond'), 0),
        number(figure(scenario, server, 'p50'), 1),
        number(figure(scenario, server, 'p99'), 1),
        number(figure(scenario, server, 'first50'), 1),
        number(figure(scenario, server, 'bytes') / 1024, 1),
        of(scenario, server).reduce((sum, row) => sum + row.errors, 0),
      ])
    out.push(`### ${scenario}`, '', table(head, rows), '')
  }
  const slopes = servers.filter((server) => Number.isFinite(inside(slope(server))))
  if (slopes.length > 0)
    out.push(
      '### Slope: CPU per extra streamed event',
      '',
      table(
        ['server', 'us'],
        slopes.map((server) => [server, number(inside(slope(server)))]),
      ),
      '',
    )
  const probe = (title, data, head, row) => {
    const entries = Object.entries(data)
    if (entries.length > 0)
      out.push(
        `### ${title}`,
        '',
        table(
          ['server', ...head],
          entries.map(([server, entry]) => [server, ...row(entry)]),
        ),
        '',
      )
  }
  probe('Start to first answer', results.start, ['wall ms', 'CPU ms', 'RSS MiB'], (runs) =>
    ['ms', 'cpu', 'rss'].map((key) => number(median(runs.map((run) => run[key])), 0)),
  )
  probe(
    'Idle streams',
    results.idle,
    ['asked', 'opened', 'KiB each', 'CPU ms to open one', 'upstream closed after all dropped', 'left open'],
    (entry) => [
      entry.count,
      entry.opened,
      number(entry.kibPerStream, 1),
      number(entry.cpuPerOpen),
      `${number(entry.closedMs, 0)} ms`,
      entry.left,
    ],
  )
  probe(
    'A reader asleep for 2.5 s',
    results.reader,
    ['deltas', 'received', 'MiB more while asleep', 'MiB more after'],
    (entry) => [entry.deltas, entry.found, number(entry.mibAsleep, 1), number(entry.mibAfter, 1)],
  )
  probe(
    'Upstream closed: median (slowest) in ms',
    results.closed,
    ['drop, talking', 'cancel, talking', 'drop, silent', 'cancel, silent'],
    (entry) =>
      ['drop, model talking', 'cancel, model talking', 'drop, model silent', 'cancel, model silent'].map((key) =>
        Number.isFinite(entry[key]?.max)
          ? `${number(entry[key].median, 1)} (${number(entry[key].max, 1)})`
          : 'open after 2 s',
      ),
  )
  return out.join('\n')
}

if (process.argv[1] === import.meta.filename) console.log(report(JSON.parse(readFileSync(process.argv[2], 'utf8'))))

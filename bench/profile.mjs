// CPU profile of one server under the burst or each load; prints self time by package and the top functions.
//   node profile.mjs 'node servers/proto.mjs' env.ENGINE=agents n=100 b=0 reqs=600
//   node profile.mjs 'node servers/agency_swarm_js.mjs' env.STORE=/tmp/runs.db kind=run
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { adapters } from './lib/adapters.mjs'
import { closedLoop, fire, newPool } from './lib/load.mjs'
import { createMock } from './lib/mock.mjs'
import { cpu, cpuDelta, tree } from './lib/proc.mjs'

const [cmd, ...kv] = process.argv.slice(2)
const o = Object.fromEntries(
  kv.map((x) => {
    const i = x.indexOf('=')
    return [x.slice(0, i), x.slice(i + 1)]
  }),
)
const env = {}
for (const k in o) if (k.startsWith('env.')) env[k.slice(4)] = o[k]
const mp = +(o.port ?? 18590),
  sp = mp + 1
const mock = createMock()
await new Promise((ok) => mock.listen(mp, '127.0.0.1', ok))
const dir = mkdtempSync(path.join(os.tmpdir(), 'prof-'))
const [c, ...args] = cmd.split(' ')
const flags = o.noprof ? [] : ['--cpu-prof', `--cpu-prof-dir=${dir}`, '--cpu-prof-interval=200']
const p = spawn(
  c === 'node' ? process.execPath : c,
  [...flags, '--import', path.join(import.meta.dirname, 'lib/exit-on-term.mjs'), ...args.map((x) => path.resolve(x))],
  {
    env: {
      ...process.env,
      PORT: String(sp),
      OPENAI_BASE_URL: `http://127.0.0.1:${mp}/v1`,
      OPENAI_API_KEY: 'x',
      NODE_ENV: 'production',
      ...env,
    },
    stdio: 'inherit',
  },
)
const A = adapters[o.adapter ?? 'agency'],
  pool = newPool(),
  org = `http://127.0.0.1:${sp}`,
  pre = o.prefix ?? '/bench'
const kind = o.kind ?? 'stream'
for (let i = 0; i < 500; i++) {
  try {
    await fire(pool, org, { method: 'GET', path: A.ready(pre), headers: {} }).done
    break
  } catch {
    await sleep(20)
  }
}
const n = +(o.n ?? 100)
const mk = () => A[kind](pre, `x [[mock n=${n} b=${o.b ?? 1} tool=${o.tool ?? 0}]]`)
await closedLoop(pool, org, mk, null, { C: 8, ms: 0, min: 150, max: 150 })
const w0 = Number(process.hrtime.bigint() / 1000n)
const c0 = cpu(tree(p.pid))
const r = await closedLoop(pool, org, mk, null, { C: 8, ms: 0, min: +(o.reqs ?? 600), max: +(o.reqs ?? 600) })
const d = cpuDelta(c0, cpu(tree(p.pid)))
const w1 = Number(process.hrtime.bigint() / 1000n)
console.log(
  `${cmd} ${JSON.stringify(env)} n=${n} b=${o.b ?? 1} ${kind}: ${(d / r.ok).toFixed(3)} ms CPU/req, ${((d / r.ok / n) * 1000).toFixed(1)} us/event, errors ${r.errors} ${r.errs}`,
)
p.kill('SIGTERM')
await new Promise((ok) => p.on('exit', ok))
if (!o.noprof) {
  const f = readdirSync(dir)
    .map((x) => path.join(dir, x))
    .find((x) => x.endsWith('.cpuprofile'))
  const P = JSON.parse(readFileSync(f))
  const byId = new Map(P.nodes.map((x) => [x.id, x]))
  const self = new Map()
  let total = 0,
    at = P.startTime
  for (let i = 0; i < P.samples.length; i++) {
    const dt = P.timeDeltas[i]
    at += dt
    if (at < w0 || at > w1) continue // load window only (same monotonic clock)
    const nd = byId.get(P.samples[i])
    if (nd.callFrame.functionName === '(idle)') continue
    total += dt
    self.set(nd.id, (self.get(nd.id) ?? 0) + dt)
  }
  const pkg = new Map(),
    fn = new Map()
  for (const [id, t] of self) {
    const cf = byId.get(id).callFrame
    const m = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(cf.url)
    const k = m
      ? m[1]
      : cf.url.startsWith('node:')
        ? cf.url
        : cf.url
          ? path.basename(cf.url)
          : cf.functionName || '(native)'
    pkg.set(k, (pkg.get(k) ?? 0) + t)
    const file = cf.url.replace(/.*node_modules\//, '').replace('file://', '')
    const q = `${cf.functionName || '(anon)'} ${file}:${cf.lineNumber + 1}`
    fn.set(q, (fn.get(q) ?? 0) + t)
  }
  const top = (m, k) =>
    [...m]
      .sort((x, y) => y[1] - x[1])
      .slice(0, k)
      .map(([a, t]) => `  ${((t / total) * 100).toFixed(1).padStart(5)}%  ${a}`)
      .join('\n')
  console.log(`by package / module (self time):\n${top(pkg, 22)}`)
  console.log(`by function (self time):\n${top(fn, +(o.top ?? 40))}`)
  console.log('profile', f)
}
mock.close()
process.exit(0)

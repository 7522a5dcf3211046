// Replays golden cases against a running server and compares.
//   node replay.mjs --base main=http://127.0.0.1:18110 [--base auth=... plain=... agui=...] [--dir public] [--only REGEX] [--strict] [--mock http://127.0.0.1:18100] [--tmp DIR]
// Needs mock.mjs running (and the server pointed at it). Default comparison is the projection described in README.md; --strict compares everything.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const argv = process.argv.slice(2)
const all = (n) => argv.flatMap((a, i) => (a === n ? [argv[i + 1]] : []))
const opt = (n, d) => all(n)[0] ?? d
const here = path.dirname(new URL(import.meta.url).pathname)
const bases = Object.fromEntries(all('--base').map((b) => b.split(/=(.*)/s).slice(0, 2)))
const MOCK = opt('--mock', 'http://127.0.0.1:18100'),
  TMP = opt('--tmp', path.join(os.tmpdir(), 'wire-goldens')),
  strict = argv.includes('--strict')
const hosts = Object.values(bases).map((b) => new URL(b).host)

// ---- normalising (the rules by which the cases were masked)
const PAT = [
  ['agent_run', /agent_run_[0-9a-f]{32}/g],
  ['trace', /trace_[0-9a-f]{32}/g],
  ['uuid', /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g],
  ['hex', /(?<=system_file_urls_)[0-9a-f]{32}/g],
  ['resp', /\bresp[-_][A-Za-z0-9_-]{12,}/g],
  ['msg', /\bmsg[-_][A-Za-z0-9_-]{16,17}(?![A-Za-z0-9_-])/g],
  ['fc', /\bfc[-_][A-Za-z0-9_-]{14,}/g],
  ['rs', /\brs[-_][A-Za-z0-9_-]{14,}/g],
  ['ws', /\bws[-_][A-Za-z0-9_-]{14,}/g],
  ['file', /\bfile-[A-Za-z0-9_-]{10,}/g],
  ['chatcmpl', /\bchatcmpl-[A-Za-z0-9_-]{10,}/g],
  ['req', /\breq[-_][A-Za-z0-9_-]{12,}/g],
]
const PAT2 = PAT.map(([k, re]) => [k, new RegExp(`<${k}:\\d+>|${re.source}`, 'g')]) // placeholders are renumbered too
export class Normaliser {
  seen = new Map()
  counts = {}
  text(s) {
    s = s.replaceAll(TMP, '{{TMP}}').replaceAll(MOCK, '{{MOCK}}')
    for (const h of hosts) s = s.replaceAll(h, '{{HOST}}')
    for (const [k, re] of PAT2)
      s = s.replace(re, (m) => {
        if (!this.seen.has(m)) this.seen.set(m, `<${k}:${(this.counts[k] = (this.counts[k] ?? 0) + 1)}>`)
        return this.seen.get(m)
      })
    s = s.replace(/\n\nTraceback:\n.*/s, '\n\nTraceback:\n<traceback>')
    return s.replace(/\b(report|data|notes|pixel|pic|sheet|movie|doc|x)_[A-Za-z0-9_]{8}\./g, '$1_<tmp>.')
  }
  value(v, key) {
    if (Array.isArray(v)) return ['traceback', 'call_stack'].includes(key) ? [`<${key}>`] : v.map((x) => this.value(x))
    if (v && typeof v === 'object') {
      if (['agent', 'new_agent', 'source_agent', 'target_agent'].includes(key) && 'name' in v)
        return { name: v.name, '<agent dump>': true }
      return Object.fromEntries(Object.entries(v).map(([k, x]) => [this.text(k), this.value(x, k)]))
    }
    if (typeof v === 'number') return v > 1e15 ? '<time:us>' : v > 1e12 ? '<time:ms>' : v > 1e9 ? '<time:s>' : v
    if (typeof v === 'string') {
      if (['created_at', 'completed_at'].includes(key) && /^\d{10}(\.\d+)?$/.test(v)) return '<time:s>'
      if (key === 'timestamp' && /^\d{4}-\d\d-\d\dT/.test(v)) return '<time:iso>'
      return this.text(v)
    }
    return v
  }
}
// ---- prose: longer sentences are each product's own words, only their presence and place are compared
const PROSE = new Set(['msg', 'error', 'Error', 'detail']),
  LONG = 160
const TOOL_ERROR = /^(Error\b|An error occurred)/
const jsonTail = (s) => {
  const t = s.slice(s.lastIndexOf('\n') + 1)
  try {
    return `\n${JSON.stringify(JSON.parse(t))}`
  } catch {
    return ''
  }
}
export function prose(v, key, parent) {
  if (Array.isArray(v)) return v.map((x) => prose(x))
  if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, prose(x, k, v)]))
  if (typeof v !== 'string' || v.startsWith('data:')) return v
  if (PROSE.has(key)) return '<prose>'
  if (key === 'content' && parent?.role === 'system') return `<prose>${jsonTail(v)}`
  if (key === 'content' && parent?.type === 'error') return '<prose>'
  if (['output', 'response'].includes(key) && TOOL_ERROR.test(v)) return '<prose: tool error>'
  return v.length > LONG && !/^[[{]/.test(v) ? '<prose>' : v
}
// ---- what the model side received: every model call by its meaning, every other call by its address
function projectUpstream(calls) {
  const known = (calls ?? [])
    .filter((c) => !c.path?.startsWith('/static/'))
    .map((c) => {
      const model = /\/(responses|chat\/completions)$/.test(c.path ?? '')
      if (!model)
        return JSON.stringify({
          call: `${c.method} ${c.path}`,
          authorization: c.headers?.authorization,
          purpose: c.body?.multipart?.purpose,
        })
      const { model: name, instructions, input, messages, tools, stream } = c.body ?? {}
      const names = (tools ?? [])
        .map((t) => (typeof t === 'string' ? t : (t.name ?? t.function?.name ?? t.type)))
        .sort()
      return JSON.stringify(
        drop(
          prose({
            path: c.path,
            authorization: c.headers?.authorization,
            model: name,
            instructions,
            input,
            messages,
            tools: names,
            stream: Boolean(stream),
          }),
        ),
      )
    })
  const calls_ = known.filter((k) => !k.startsWith('{"call"')).sort(),
    rest = [...new Set(known.filter((k) => k.startsWith('{"call"')))].sort()
  return [...calls_, ...rest].map((k) => JSON.parse(k))
}
// ---- projection: what every compatible server must get right
const str = (x) => (x === null || x === undefined ? 'None' : String(x))
function projectEvents(events) {
  const out = []
  let last
  const branch = (f) => (['messages', 'end'].includes(f.event) ? '9' : '1' + (f.data?.data?.parent_run_id ?? '')) // order between branches is a matter of timing
  const grouped = (events ?? [])
    .map((f, i) => [branch(f), i, f])
    .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]))
    .map((x) => x[2])
  for (const f of grouped) {
    if (f.folded) {
      last = null
      continue
    }
    if (f.event === 'messages' && f.data?.cancelled === false) {
      const { cancelled, ...data } = f.data
      out.push({ ...f, data })
      continue
    } // the page shows false, the original leaves it out
    if (f.event || !f.data || typeof f.data !== 'object') {
      out.push(f)
      continue
    }
    const d = f.data.data ?? f.data,
      who = {
        agent: d.agent,
        callerAgent: str(d.callerAgent),
        agent_run_id: d.agent_run_id,
        parent_run_id: d.parent_run_id,
      }
    if (d.type === 'raw_response_event') {
      const t = d.data?.type ?? ''
      if (t.endsWith('.delta')) {
        if (last?.t === t && last.item === d.data.item_id) last.o.delta += d.data.delta
        else {
          last = { t, item: d.data.item_id, o: { raw: t, ...who, item_id: d.item_id, delta: d.data.delta } }
          out.push(last.o)
        }
        continue
      }
      last = null
      if (
        ['response.created', 'response.completed', 'response.output_item.added', 'response.output_item.done'].includes(
          t,
        )
      )
        out.push({ raw: t, ...who, call_id: d.call_id, item_type: d.data.item?.type })
    } else if (d.type === 'run_item_stream_event') {
      last = null
      const r = d.item?.raw_item ?? {}
      out.push({
        item: d.name,
        type: d.item?.type,
        ...who,
        call_id: d.call_id,
        name: r.name,
        arguments: r.arguments,
        output: r.output,
        text: r.content?.map?.((c) => c.text).join(''),
      })
    } else if (d.type === 'agent_updated_stream_event') out.push({ updated: d.new_agent?.name, ...who })
    else if (d.type === 'RAW') continue
    else out.push(f)
  }
  return out
}
// AG-UI: text deltas are joined, RAW is left out; our server may send more events and more fields than the case holds
function projectAgui(events) {
  const out = []
  for (const { data: e } of events ?? []) {
    if (e?.type === 'RAW') continue
    const last = out.at(-1)
    if (e?.type === 'TEXT_MESSAGE_CONTENT' && last?.type === e.type && last.messageId === e.messageId)
      last.delta += e.delta
    else out.push({ ...e })
  }
  return out
}
const subset = (a, b) =>
  Array.isArray(a)
    ? Array.isArray(b) && a.length === b.length && a.every((x, i) => subset(x, b[i]))
    : a && typeof a === 'object'
      ? b && typeof b === 'object' && Object.keys(a).every((k) => subset(a[k], b[k]))
      : a === b
function diffAgui(want, have) {
  // want as a subsequence of have
  let i = 0
  for (const e of have) if (i < want.length && subset(want[i], e)) i++
  return i === want.length
    ? []
    : [`AG-UI event ${i} of ${want.length} not found in order: ${JSON.stringify(want[i])?.slice(0, 200)}`]
}
const project = (step, agui) => {
  if (!step.response) return step
  const r = { ...step.response }
  delete r.headers?.['content-encoding']
  if (r.events) r.events = agui ? projectAgui(r.events) : projectEvents(r.events)
  if (agui) for (const k of ['cache-control', 'x-accel-buffering']) delete r.headers?.[k]
  if (r.body_text) r.body_text = '<text>'
  if (step.request?.path?.startsWith('/get_logs') && Array.isArray(r.body))
    r.body = r.body.every(
      (l) => l === '<log line>' || (typeof l.message === 'string' && l.details?.timestamp && l.details?.level),
    )
      ? '<log lines>'
      : '<log lines of another shape>'
  if (step.selected === 'derived') delete r.body
  else if (step.selected === 'subset' && step.keys) r.body = Object.fromEntries(step.keys.map((k) => [k, r.body?.[k]]))
  if (r.headers)
    r.headers = Object.fromEntries(
      Object.entries(r.headers).filter(([k]) => !['vary', 'access-control-allow-methods'].includes(k)),
    )
  return {
    response: r,
    cancel: step.cancel?.response,
    again: step.cancel?.again,
    cancel_afterwards: step.cancel_afterwards,
  }
}
// ---- transport
function frames(text) {
  return text
    .split('\n\n')
    .filter(Boolean)
    .map((b) => {
      const f = {}
      for (const l of b.split('\n')) {
        if (l.startsWith('event: ')) f.event = l.slice(7)
        else if (l.startsWith('data: ')) {
          try {
            f.data = JSON.parse(l.slice(6))
          } catch {
            f.data = l.slice(6)
          }
        } else (f.other ??= []).push(l)
      }
      return f
    })
}
const exact = (t) => /^((event: [a-z_]+\n)?data: [^\n]*\n\n)*$/.test(t)
const KEEP = [
  'content-type',
  'cache-control',
  'x-accel-buffering',
  'www-authenticate',
  'allow',
  'location',
  'vary',
  'content-encoding',
]
const heads = (h) => Object.fromEntries([...h].filter(([k]) => KEEP.includes(k) || k.startsWith('access-control-')))
function fill(v, got) {
  if (Array.isArray(v)) return v.map((x) => fill(x, got))
  if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, fill(x, got)]))
  if (typeof v !== 'string') return v
  const m = /^\{\{step(\d+)\.([\w.]+)\}\}$/.exec(v)
  if (m) return m[2].split('.').reduce((c, k) => c?.[k], got[+m[1]])
  return v.replaceAll('{{TMP}}', TMP).replaceAll('{{MOCK}}', MOCK)
}
async function runStep(base, step, got) {
  if (step.do === 'file') {
    const p = fill(step.path, got)
    mkdirSync(path.dirname(p), { recursive: true })
    writeFileSync(p, step.text)
    return [step, {}]
  }
  if (step.do === 'callbacks') return [step, {}] // not compared: needs a look inside the server
  const q = step.request,
    headers = { connection: 'close', ...q.headers }
  let body
  if ('body' in q) {
    body = JSON.stringify(fill(q.body, got))
    headers['content-type'] ??= 'application/json'
  }
  if ('raw_body' in q) body = q.raw_body
  const ctl = new AbortController()
  const r = await fetch(base + q.path, { method: q.method, headers, body, redirect: 'manual', signal: ctl.signal })
  const rec = { status: r.status, headers: heads(r.headers) }
  if (step.selected === 'subset') step.keys = Object.keys(step.response.body)
  if (!step.do || step.do === 'http') {
    const t = await r.text()
    let g = {}
    if ((r.headers.get('content-type') ?? '').includes('text/event-stream')) {
      rec.framing_exact = exact(t)
      rec.events = frames(t)
      g = rec.events.find((f) => f.event === 'messages')?.data ?? {}
    } else {
      try {
        rec.body = g = JSON.parse(t)
      } catch {
        rec.body_text = t.length < 300 ? t : t.slice(0, 200) + '...'
      }
    }
    return [{ ...step, response: rec }, g]
  }
  let buf = '',
    run,
    task
  const dec = new TextDecoder(),
    reader = r.body.getReader(),
    h = step.how ?? {}
  const cpath = base + q.path.replace('get_response_stream', 'cancel_response_stream')
  const post = async (b) => {
    const c = await fetch(cpath, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify(b),
    })
    return { status: c.status, body: await c.json() }
  }
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    buf += dec.decode(value, { stream: true })
    const fs = frames(buf.slice(0, buf.lastIndexOf('\n\n') + 2))
    run ??= fs[0]?.data?.run_id
    const n = fs.filter((f) => JSON.stringify(f.data ?? '').includes(h.until ?? 'response.output_text.delta')).length
    if (n >= (h.after ?? 2) && !task) {
      if (step.do === 'stream_drop') {
        ctl.abort()
        break
      }
      task = post({ run_id: run, ...(h.mode ? { cancel_mode: h.mode } : {}) })
    }
  }
  if (step.do === 'stream_drop') {
    await new Promise((s) => setTimeout(s, (h.wait ?? 1) * 1000))
    rec.events_read_before_drop = step.response.events_read_before_drop
    return [{ ...step, response: rec, cancel_afterwards: await post({ run_id: run }) }, {}]
  }
  const res = await task
  const cancel = { ...step.cancel, response: res }
  if (h.twice) cancel.again = await post({ run_id: run })
  rec.framing_exact = exact(buf)
  rec.events = frames(buf).filter((f) => f.data?.data?.data?.type !== 'response.output_text.delta')
  return [{ ...step, response: rec, cancel }, frames(buf).find((f) => f.event === 'messages')?.data ?? {}]
}
// ---- compare
const drop = (v) =>
  Array.isArray(v)
    ? v.map(drop)
    : v && typeof v === 'object'
      ? Object.fromEntries(
          Object.entries(v)
            .filter(([, x]) => x !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([k, x]) => [k, drop(x)]),
        )
      : typeof v === 'number'
        ? Math.round(v * 1e12) / 1e12
        : v
function diff(a, b, p = '', out = []) {
  if (out.length > 40) return out
  if (a && b && typeof a === 'object' && typeof b === 'object' && Array.isArray(a) === Array.isArray(b)) {
    for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) diff(a[k], b[k], `${p}/${k}`, out)
    return out
  }
  if (JSON.stringify(a) !== JSON.stringify(b))
    out.push(`${p}: want ${JSON.stringify(a)?.slice(0, 160)} got ${JSON.stringify(b)?.slice(0, 160)}`)
  return out
}
const dir = path.resolve(here, opt('--dir', 'public'))
let ok = 0,
  bad = 0,
  skipped = 0
for (const file of readdirSync(dir)
  .filter((f) => f.endsWith('.json') && f !== 'fixtures.json')
  .sort()) {
  const c = JSON.parse(readFileSync(path.join(dir, file), 'utf8'))
  if (all('--only').length && !new RegExp(opt('--only')).test(c.name)) continue
  const base = bases[c.mode],
    agui = c.mode === 'agui'
  if (!base || c.skip) {
    skipped++
    if (c.skip) console.log(`skip ${c.name}  [${c.skip}]`)
    continue
  }
  await fetch(MOCK + '/__rec/take')
  const allowed = path.join(TMP, 'allowed')
  if (existsSync(allowed)) rmSync(allowed, { recursive: true })
  mkdirSync(allowed, { recursive: true })
  const got = [],
    steps = []
  let err,
    calls = []
  try {
    for (const s of c.steps) {
      const [rec, g] = await runStep(base, s, got)
      steps.push(rec)
      got.push(g)
    }
    calls = await (await fetch(MOCK + '/__rec/take')).json()
  } catch (e) {
    err = e
  }
  const whole = (s) => ({
    response: s.response,
    cancel: s.cancel?.response,
    again: s.cancel?.again,
    cancel_afterwards: s.cancel_afterwards,
  })
  const prep = (arr, up) => {
    const n = new Normaliser(),
      steps_ = arr.map((s) => n.value(drop(strict ? whole(s) : prose(project(s, agui)))))
    return { steps: steps_, upstream: projectUpstream(n.value(up)) }
  }
  const unfolded = c.steps.map((s) =>
    s.response?.events ? { ...s, response: { ...s.response, events: s.response.events.filter((f) => !f.folded) } } : s,
  )
  let lines = err ? [String(err)] : []
  if (!err) {
    const want = prep(unfolded, c.upstream),
      have = prep(steps, calls)
    if (agui && !strict)
      want.steps.forEach((w, i) => {
        const h = have.steps[i]
        if (w.response?.events && h.response?.events) {
          lines.push(...diffAgui(w.response.events, h.response.events))
          delete w.response.events
          delete h.response.events
        }
      })
    lines.push(...diff(want, have))
    const ruled = (c.ruled ?? []).map((r) => new RegExp(r.at))
    lines = lines.filter((l) => !ruled.some((re) => re.test(l)))
  }
  if (lines.length) {
    bad++
    console.log(`DIFF ${c.name}${c.quirk ? '  [quirk: ' + c.quirk + ']' : ''}`)
    for (const l of lines) console.log('   ' + l)
  } else {
    ok++
    console.log(`ok   ${c.name}${c.ruled ? `  [ruled: ${c.ruled.map((r) => r.why).join('; ')}]` : ''}`)
  }
}
console.log(`${ok} ok, ${bad} differ, ${skipped} skipped`)
process.exitCode = bad ? 1 : 0

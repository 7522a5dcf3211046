// CPU time and memory of a process tree, from /proc.
import { readdirSync, readFileSync } from 'node:fs'

const TICK = 100 // CLK_TCK on Linux
export function tree(pid) {
  const kids = new Map()
  for (const d of readdirSync('/proc')) {
    if (!/^\d+$/.test(d)) continue
    try {
      const s = readFileSync(`/proc/${d}/stat`, 'latin1')
      const pp = +s.slice(s.lastIndexOf(')') + 2).split(' ')[1]
      if (!kids.has(pp)) kids.set(pp, [])
      kids.get(pp).push(+d)
    } catch {}
  }
  const out = [],
    todo = [pid]
  while (todo.length) {
    const p = todo.pop()
    out.push(p)
    todo.push(...(kids.get(p) ?? []))
  }
  return out
}
// user+sys in ms: /proc/PID/stat (10 ms grain, counts dead threads) and the sum of /proc/PID/task/*/schedstat (ns grain).
export function cpu(pids) {
  let user = 0,
    sys = 0,
    ns = 0n
  for (const p of pids)
    try {
      const s = readFileSync(`/proc/${p}/stat`, 'latin1')
      const f = s.slice(s.lastIndexOf(')') + 2).split(' ')
      user += (+f[11] * 1000) / TICK
      sys += (+f[12] * 1000) / TICK
      for (const t of readdirSync(`/proc/${p}/task`))
        try {
          ns += BigInt(readFileSync(`/proc/${p}/task/${t}/schedstat`, 'latin1').split(' ')[0])
        } catch {}
    } catch {}
  return { user, sys, stat: user + sys, sched: Number(ns) / 1e6 }
}
// Fine grain unless threads died in between (then the coarse, complete figure is larger).
export const cpuDelta = (a, b) => {
  const st = b.stat - a.stat,
    sc = b.sched - a.sched
  return st - sc > 20 ? st : sc
}
export function mem(pids) {
  let rss = 0,
    hwm = 0,
    anon = 0
  for (const p of pids)
    try {
      const s = readFileSync(`/proc/${p}/status`, 'latin1')
      const g = (k) => {
        const m = new RegExp(`^${k}:\\s+(\\d+)`, 'm').exec(s)
        return m ? +m[1] / 1024 : 0
      }
      rss += g('VmRSS')
      hwm += g('VmHWM')
      anon += g('RssAnon')
    } catch {}
  return { rss, hwm, anon }
}
export const loadavg = () => readFileSync('/proc/loadavg', 'latin1').split(' ').slice(0, 3).join(' ')

/** Processes of tools: each in a group of its own, ended with everything it started, at the latest with this process. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const WINDOWS = process.platform === 'win32'
/** The leaders of the groups that live. */
const groups = new Set<number>()

/** Ends a group when this process exits. */
export function adopt(leader: number): void {
  if (groups.size === 0) process.on('exit', endAll)
  groups.add(leader)
}

/** Ends a process and everything in its group at once. */
export function endGroup(leader: number): void {
  groups.delete(leader)
  if (groups.size === 0) process.off('exit', endAll)
  try {
    process.kill(WINDOWS ? leader : -leader, 'SIGKILL')
  } catch {
    // it has ended
  }
}

function endAll(): void {
  for (const leader of [...groups]) endGroup(leader)
}

/** The memory of a process and its descendants, in bytes; undefined where the system does not tell. */
export async function measure(leader: number): Promise<number | undefined> {
  if (process.platform === 'linux') return measureTree(leader)
  return WINDOWS ? undefined : measureGroup(leader)
}

function measureTree(pid: number): number {
  const own = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]
  const children = threadsOf(pid).flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`).trim().split(' '))
  const below = children.filter((child) => child !== '').map((child) => measureTree(Number(child)))
  return below.reduce((sum, bytes) => sum + bytes, Number(own ?? 0) * 1024)
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return [] // it has ended
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // it has ended
  }
}

function measureGroup(leader: number): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  execFile('ps', ['-axo', 'pgid=,rss='], (error, printed) => {
    if (error !== null) return resolve(undefined)
    const rows = printed.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
    resolve(rows.reduce((sum, [group, kilobytes = 0]) => (group === leader ? sum + kilobytes * 1024 : sum), 0))
  })
  return promise
}

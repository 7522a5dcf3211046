import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openLocalFile } from './local-files.ts'

const never = new AbortController().signal
const source = (path: string) => ({ key: 'a', url: path, from: { kind: 'local' as const, path } })

function useFolder() {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'local-files-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const [allowed, outside] = [join(folder, 'allowed'), join(folder, 'outside')]
  for (const path of [allowed, outside, join(allowed, 'dir'), join(allowed, 'other')]) mkdirSync(path)
  writeFileSync(join(allowed, 'dir', 'a.txt'), 'mine')
  writeFileSync(join(outside, 'a.txt'), 'secret')
  return { allowed, outside }
}

async function read(path: string, allowed: string, descriptors?: string): Promise<string> {
  const file = await openLocalFile(source(path), [allowed], descriptors)
  try {
    const { pieces } = await file.read(() => {}, never)
    return Buffer.concat(pieces).toString()
  } finally {
    await file.close()
  }
}

/** Code that another process runs for ever, to swap things below our feet. */
const swapper = (steps: string) => `
  const { linkSync, renameSync, symlinkSync, unlinkSync } = require('node:fs')
  const [allowed, outside] = process.argv.slice(1)
  for (;;) { ${steps} }`
const swaps = {
  file: swapper(`
    symlinkSync(outside + '/a.txt', allowed + '/swap'); renameSync(allowed + '/swap', allowed + '/dir/a.txt')
    linkSync(allowed + '/other/keep.txt', allowed + '/swap'); renameSync(allowed + '/swap', allowed + '/dir/a.txt')`),
  folder: swapper(`
    renameSync(allowed + '/dir', allowed + '/gone'); symlinkSync(outside, allowed + '/dir')
    unlinkSync(allowed + '/dir'); renameSync(allowed + '/gone', allowed + '/dir')`),
}

test.for([
  ['file', undefined],
  ['folder', undefined],
  ['file', '/nowhere'],
  ['folder', '/nowhere'],
] as const)('a swap of the %s reaches no other file (%s)', async ([what, descriptors]) => {
  const { allowed, outside } = useFolder()
  writeFileSync(join(allowed, 'other', 'keep.txt'), 'mine')
  const child = spawn(process.execPath, ['-e', swaps[what], allowed, outside], { stdio: 'ignore' })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const seen = new Set<string>()
  const path = join(allowed, 'dir', 'a.txt')
  await expect
    .poll(
      async () => {
        for (let round = 0; round < 200; round++)
          seen.add(await read(path, allowed, descriptors).catch((error) => (error as Error).message))
        return seen.size
      },
      { timeout: 15_000, interval: 1 },
    )
    .toBeGreaterThan(1) // both sides of the swap were met
  for (let round = 0; round < 1500; round++)
    seen.add(await read(path, allowed, descriptors).catch((error) => (error as Error).message))
  expect(seen).not.toContain('secret')
  expect(seen).toContain('mine')
})

test('a link that is put in place after the check is not followed', async () => {
  const { allowed, outside } = useFolder()
  const path = join(allowed, 'dir', 'a.txt')
  const file = await openLocalFile(source(path), [allowed])
  renameSync(path, join(allowed, 'other', 'a.txt'))
  symlinkSync(join(outside, 'a.txt'), path)
  const { pieces } = await file.read(() => {}, never)
  await file.close()
  expect(Buffer.concat(pieces).toString()).toBe('mine')
  await expect(read(path, allowed)).rejects.toMatchObject({ code: 'FILE_FAILED' })
})

test('a file that grows while it is read is counted as it is, not as it was', async () => {
  const { allowed } = useFolder()
  const path = join(allowed, 'dir', 'a.txt')
  const file = await openLocalFile(source(path), [allowed])
  expect(file.size).toBe(4)
  writeFileSync(path, 'x'.repeat(5000))
  let bytes = 0
  await file.read((more) => {
    bytes += more
  }, never)
  await file.close()
  expect(bytes).toBe(5000)
})

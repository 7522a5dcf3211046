import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** An empty folder that is gone after the test, by its canonical path. */
export function useFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'folder-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

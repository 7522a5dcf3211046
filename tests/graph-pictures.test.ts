import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { agency } from '../examples/research-team/agency.ts'

const root = join(import.meta.dirname, '..')

test('the pictures of agencies are what their metadata says', { timeout: 60_000 }, () => {
  const script = join(root, 'scripts/draw-graphs.mjs')
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const picture = readFileSync(join(root, 'docs/pictures/research-team.svg'), 'utf8')
  for (const name of [...agency.agentNames, 'search_news', 'find_papers']) expect(picture).toContain(`>${name}</text>`)
  expect(picture.match(/<path d="M[^>]*\/>/g)).toHaveLength(agency.edges.length + 1) // and the tip of the arrows
})

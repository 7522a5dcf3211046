import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { addressOf, emptyFolder, installInto, startCli } from '../support/cli.ts'
import { launchChromium } from './launch.ts'
import { ask, findBarriers, openPage } from './page.ts'

const source = (name: string) => `import { Agency, Agent } from 'agency-swarm-js'
export const agency = new Agency(new Agent({ name: '${name}', model: 'demo' }), { name: 'solo' })
`

test('dev shows why a file fails, then the new agents', {
  timeout: 120_000,
}, async () => {
  const folder = emptyFolder()
  installInto(folder)
  const file = join(folder, 'agency.ts')
  writeFileSync(file, source('Solo'))
  const dev = startCli(['dev', '--port', '0'], { cwd: folder })
  const url = await addressOf(dev)
  const browser = await launchChromium()
  onTestFinished(() => browser.close())
  const page = await openPage(browser, `${url}/`, ['Failed to load resource'])
  await ask(page, 'Hello before')
  const graph = page.getByRole('tabpanel')
  await expect.poll(() => graph.innerText()).toContain('Solo')

  writeFileSync(file, `${source('Solo')}oops(`)
  const notice = page.getByRole('dialog', { name: 'The agency cannot be loaded' })
  await notice.waitFor()
  await expect.poll(() => notice.innerText()).toMatch(/agency\.ts cannot be loaded: .* at agency\.ts:3\./)
  expect(await notice.locator('.place').innerText()).toBe('agency.ts:3')
  expect(await notice.locator('[data-place=true]').getAttribute('data-line')).toBe('3')
  expect(await notice.locator('[data-place=true]').innerText()).toContain('oops(')
  expect(await findBarriers(page)).toEqual([])
  expect(await page.locator('.turn').count()).toBe(1)

  writeFileSync(file, source('Renamed'))
  await notice.waitFor({ state: 'detached' })
  await expect.poll(() => graph.innerText(), { timeout: 15_000 }).toContain('Renamed')
  expect(await page.locator('.turn').innerText()).toContain('Hello before')
  expect(existsSync(join(folder, '.agency_swarm/dev/runs.db'))).toBe(true)
  await page.reload() // the server has been started three times, and keeps the conversation
  await page.locator('.turn-foot').waitFor()
  await ask(page, 'Hello after')
  expect(await page.locator('.turn').last().innerText()).toContain('You wrote: "Hello after"')
})

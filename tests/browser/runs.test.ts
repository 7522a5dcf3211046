import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { memory } from '../../src/index.ts'
import { emptyUsage } from '../../src/models/usage.ts'
import type { EndStatus, RunStore } from '../../src/runs/run-store.ts'
import { EVERYBODY } from '../../src/server/run-requests.ts'
import { RunsApi } from '../support/runs.ts'
import { startLab } from './lab.ts'
import { launchChromium } from './launch.ts'
import { findBarriers, openPlayground } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const SEEDED_AT = Date.now() - 400_000

/** Ended runs of two agencies, a second apart: every tenth has failed. */
async function seed(store: RunStore, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const id = { agency: n % 3 === 0 ? 'other' : 'lab', owner: EVERYBODY, runId: `seeded-${n}` }
    const now = SEEDED_AT + n * 1_000
    const about = { recipient: 'Planner', plan: {}, metadata: {}, events: ['{}'] }
    await store.admit({ ...id, ...about, now, limits: { threadQueue: 1, queuedRuns: 10, scheduledRuns: 10 } })
    const claimed = await store.claim({ runId: id.runId, worker: 'w', now })
    if (claimed === undefined) throw new Error('The run cannot be claimed.')
    const status: EndStatus = n % 10 === 0 ? 'failed' : 'completed'
    const usage = { ...emptyUsage(), total_tokens: n, total_cost: n / 1_000 }
    const message = { role: 'user', content: `Question ${n}`, agent: 'Planner', callerAgent: null, timestamp: n }
    await store.write({
      kind: 'run',
      claim: claimed.claim,
      now: now + ((n * 37) % 500) * 10,
      leave: {
        kind: 'end',
        status,
        outcome: { response: 'ok', new_messages: [message], usage },
        ...(status === 'failed' ? { error: { code: 'MODEL_FAILED', message: 'It broke.' } } : {}),
      },
    })
  }
}

async function openRuns(context: Parameters<typeof openPlayground>[1] = {}) {
  const lab = await startLab()
  lab.release()
  const store = memory()
  await seed(store, 300)
  const { page, url } = await openPlayground(browser, {
    ...context,
    serve: {
      agencies: { lab: lab.agency, other: lab.agency },
      runs: { store },
      prices: { lab: { inputUsdPerMillion: 1_000, outputUsdPerMillion: 2_000 } },
    },
  })
  const api = new RunsApi(`${url}/lab`)
  return { page, api }
}

test('stored runs are listed, filtered and opened as a tree of spans', async () => {
  const { page, api } = await openRuns({ viewport: { width: 1440, height: 900 } })
  const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name))
  expect(loaded.filter((name) => name.includes('runs-view'))).toEqual([])
  const held = await api.run({ message: 'Please hold on' })
  const failed = await api.run({ message: 'Please fail' })
  expect([held.status, failed.status]).toEqual(['completed', 'failed'])

  await page.getByRole('button', { name: 'Runs', exact: true }).click()
  const list = page.getByRole('region', { name: 'Stored runs' })
  const rows = list.locator('.run-link')
  await rows.first().waitFor()
  expect(await rows.first().textContent()).toContain('Please fail')
  const listed = await rows.count()
  expect(listed).toBeGreaterThan(50)
  await list.getByRole('button', { name: 'Show older runs' }).click()
  await page.waitForFunction((before) => document.querySelectorAll('.run-link').length > before, listed)

  await list.getByLabel('State').selectOption('failed')
  await page.waitForFunction(() => document.querySelectorAll('.run-link[data-status=failed]').length === 31)
  expect(await rows.count()).toBe(31)
  await list.getByLabel('Agency').selectOption('other')
  await page.waitForFunction(() => document.querySelectorAll('.run-link').length === 10)
  await list.getByLabel('Order').selectOption('cost')
  expect(await rows.first().textContent()).toContain('Question 270')

  await list.getByLabel('Agency').selectOption('lab')
  await list.getByLabel('Order').selectOption('newest')
  await rows.filter({ hasText: 'Please fail' }).click()
  const detail = page.locator('.span-detail')
  await detail.waitFor()
  expect(await detail.textContent()).toContain('MODEL_FAILED')
  expect(await page.locator('.span-row[data-status=failed]').count()).toBeGreaterThan(1)
  expect(await findBarriers(page)).toEqual([])

  // A run that starts while the list is shown appears in it.
  await list.getByLabel('State').selectOption('completed')
  await api.run({ message: 'Something new' })
  await rows.filter({ hasText: 'Something new' }).waitFor()

  await rows.filter({ hasText: 'Please hold on' }).click()
  const tree = page.getByRole('tree', { name: 'Spans' })
  await page.locator('.span-row').nth(4).waitFor()
  expect(await page.locator('.span-row .kind').allTextContents()).toEqual([
    'Attempt',
    'Agent',
    'Model call',
    'Tool call',
    'Model call',
  ])
  await tree.focus()
  await page.keyboard.press('End')
  const items = page.getByRole('list', { name: 'Messages that were sent' })
  expect(await items.getByRole('heading').allTextContents()).toEqual([
    'user',
    'calls hold',
    expect.stringContaining('output of'),
  ])
  await page.getByRole('tab', { name: 'Received' }).click()
  expect(await page.getByRole('list', { name: 'Items that came back' }).textContent()).toContain('It is over.')
  await page.getByRole('tab', { name: 'Difference' }).click()
  expect(await page.getByRole('tabpanel').last().textContent()).toContain('1 message as in the call before.')
  expect(await page.getByRole('list', { name: 'Messages added' }).getByRole('listitem').count()).toBe(2)
  expect(await findBarriers(page)).toEqual([])
  await page.getByRole('tab', { name: 'Raw JSON' }).click()
  const raw = JSON.parse((await page.getByLabel('Model call as JSON').textContent()) ?? '')
  expect(raw).toMatchObject({ kind: 'model', usage: { input_tokens: 100 }, received: { status: 'completed' } })
  await tree.focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('ArrowLeft')
  expect(await page.locator('.span-row').count()).toBe(1)
})

test('runs can be read on a phone, in the dark', async () => {
  const { page, api } = await openRuns({
    viewport: { width: 360, height: 740 },
    hasTouch: true,
    isMobile: true,
    colorScheme: 'dark',
  })
  await api.run({ message: 'Please hold on' })
  await page.getByRole('button', { name: 'Runs', exact: true }).tap()
  const tooWide = () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
  await page.locator('.run-link').first().waitFor()
  expect(await tooWide()).toBe(false)
  expect(await findBarriers(page)).toEqual([])
  await page.locator('.run-link').first().tap()
  await page.locator('.span-detail').waitFor()
  expect(await tooWide()).toBe(false)
  expect(await findBarriers(page)).toEqual([])
  await page.getByRole('button', { name: 'All runs' }).tap()
  expect(await page.locator('.run-list').isVisible()).toBe(true)
})

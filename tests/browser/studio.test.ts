// The views beside the chat: tools that are run by hand, agents as their models get them, evals.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { FormatAddress } from '../../examples/starter/agency.ts'
import { Agency, Agent, Handoff, tool } from '../../src/index.ts'
import { useFolder } from '../support/folder.ts'
import { launchChromium } from './launch.ts'
import { findBarriers, openPlayground } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

function createDesk() {
  const plan = tool({
    name: 'plan_trip',
    description: 'Plan a trip.',
    parameters: z.object({
      city: z.string().describe('Where to'),
      days: z.int().min(1).max(14),
      mood: z.enum(['calm', 'wild']).optional(),
      alone: z.boolean().optional(),
      sights: z.array(z.string()).optional(),
      extra: z.object({ budget: z.number() }).optional(),
    }),
    execute: (trip) => {
      if (trip.city === 'Nowhere') throw new Error('no trains go there')
      return trip
    },
  })
  const clerk = new Agent({ name: 'Clerk', description: 'Books', model: 'demo' })
  const lead = new Agent({
    ...{ name: 'Lead', model: 'demo', tools: [plan], modelSettings: { temperature: 0.3 } },
    instructions: () => 'You plan trips.',
  })
  return new Agency(lead, {
    name: 'desk',
    sharedInstructions: 'Be kind.',
    communicationFlows: [
      [lead, clerk],
      [clerk, lead, Handoff],
    ],
  })
}

const open = (options: Parameters<typeof openPlayground>[1] = {}) =>
  openPlayground(browser, { ...options, serve: { agencies: { desk: createDesk() }, tools: [FormatAddress] } })
const show = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Pages' }).getByRole('button', { name }).click()
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 15_000 })
const isTooWide = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)

test("an agent's tool is run from a form of its schema", async () => {
  const { page } = await open()
  await show(page, 'Tools')
  await page.getByRole('link', { name: 'Lead' }).click()
  await page.getByRole('heading', { name: 'plan_trip' }).waitFor()
  const run = page.getByRole('button', { name: 'Run', exact: true })
  await page.getByLabel('city').fill('Bonn')
  await page.getByLabel('days').fill('20')
  await page.getByLabel('extra').fill('{"budget": ')
  await run.click()
  expect((await page.locator('.tool-field .problem').allTextContents()).filter(Boolean)).toEqual([
    'At most 14.',
    expect.stringMatching(/^This is not valid JSON/),
  ])
  await page.waitForFunction(() => document.activeElement?.id === 'argument-days')
  await page.getByLabel('days').fill('3')
  await page.getByLabel('mood').selectOption('calm')
  await page.getByLabel('alone').selectOption('false')
  await page.getByLabel('sights').fill('Rhine\nMuseum')
  await page.getByLabel('extra').fill('{"budget": 100}')
  await run.click()
  const result = page.getByRole('region', { name: 'Result' })
  await result.waitFor()
  const trip = {
    city: 'Bonn',
    days: 3,
    mood: 'calm',
    alone: false,
    sights: ['Rhine', 'Museum'],
    extra: { budget: 100 },
  }
  expect(JSON.parse((await result.locator('code').textContent()) ?? '')).toEqual(trip)
  expect(await result.textContent()).toMatch(/Result after \d+ ms/)
  expect(await findBarriers(page)).toEqual([])
  await page.getByLabel('city').fill('Nowhere')
  await run.click()
  await eventually(() => result.getAttribute('data-failed')).toBe('true')
  expect(await result.textContent()).toContain('no trains go there')
})

test('a standalone tool is run at its own endpoint', async () => {
  const { page } = await open()
  await show(page, 'Tools')
  await page.getByLabel('street').fill('Main 5')
  await page.getByLabel('city').fill('Bonn')
  const asked = page.waitForRequest((request) => request.url().endsWith('/tool/FormatAddress'))
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  expect(JSON.parse((await asked).postData() ?? '')).toEqual({ street: 'Main 5', city: 'Bonn' })
  await expect
    .poll(() => page.getByRole('region', { name: 'Result' }).locator('code').textContent())
    .toBe('Main 5\nBonn')
})

test('an agent is shown as its model gets it, at an address of its own', async () => {
  const { page, url } = await open({ colorScheme: 'dark' })
  await page.goto(`${url}/#/agents/Lead`)
  const body = page.locator('.list-page-body')
  const instructions = body.getByRole('group', { name: 'Instructions', exact: true })
  await instructions.waitFor()
  expect(await instructions.textContent()).toBe('Be kind.\n\nYou plan trips.')
  expect(await body.locator('.facts').textContent()).toContain('temperature0.3')
  const schema = body.locator('.card', { hasText: 'plan_trip' })
  await schema.getByRole('button').first().click()
  expect(await schema.getByLabel('Schema of plan_trip').textContent()).toContain('"Where to"')
  expect(await findBarriers(page)).toEqual([])
  await schema.getByRole('link', { name: 'Run this tool' }).click()
  await page.getByRole('heading', { name: 'plan_trip' }).waitFor()
  await page.goBack()
  await body.locator('.facts').getByRole('link', { name: 'Clerk' }).first().click()
  await eventually(() => body.locator('.facts').textContent()).toContain('Hands over toLead')
  await page.goto(`${url}/#/agents/Nobody`)
  await page.getByText('There is no agent “Nobody” here.').waitFor()
})

test('evals show each dataset with its last results', async () => {
  const folder = useFolder()
  vi.spyOn(process, 'cwd').mockReturnValue(folder)
  mkdirSync(join(folder, '.agency_swarm/evals'), { recursive: true })
  const result = (name: string, status: string, more = {}) => ({
    ...{ dataset: 'orders', case: name, repetition: 1, status, failures: [], answer: 'Done.', costUsd: 0.002, ms: 900 },
    ...more,
  })
  const write = (day: number, results: object[]) => {
    const startedAt = `2026-01-0${day}T10:00:00.000Z`
    const report = JSON.stringify({ startedAt, results })
    writeFileSync(join(folder, `.agency_swarm/evals/${startedAt.replaceAll(':', '-')}.json`), report)
  }
  write(1, [result('tracks', 'passed'), result('refunds', 'passed')])
  write(2, [
    result('tracks', 'passed', { score: 0.9, reason: 'clear' }),
    result('refunds', 'failed', { failures: ['No refund.'] }),
  ])
  const { page } = await open()
  await show(page, 'Evals')
  const orders = page.getByRole('region', { name: 'orders' })
  await orders.waitFor()
  expect(await orders.getByRole('heading').textContent()).toContain('1 of 2 passed')
  expect(await orders.getByRole('img').getAttribute('aria-label')).toBe('Passed, oldest first: 100 %, 50 %')
  const failed = orders.locator('.card.failed')
  expect(await failed.textContent()).toMatch(/failedrefundsNo refund\.newly failed · \$0\.002 · 900 ms/)
  await failed.getByRole('button').click()
  expect(await failed.getByLabel('Answer').textContent()).toBe('Done.')
  expect(await findBarriers(page)).toEqual([])
})

test('the views fit a phone, and are loaded when they are shown', async () => {
  const { page } = await open({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true })
  await page.locator('.welcome').waitFor()
  const views = () =>
    page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map(({ name }) => /(\w+)-view-.*\.js$/.exec(name)?.[1])
        .filter((name) => name !== undefined),
    )
  expect(await views()).toEqual([])
  for (const name of ['Approvals', 'Agents', 'Tools', 'Evals']) {
    await show(page, name)
    await page.getByRole('heading', { name, level: 1 }).waitFor()
    expect(await isTooWide(page), name).toBe(false)
    expect(await findBarriers(page), name).toEqual([])
  }
  expect(await views()).toEqual(['approvals', 'agents', 'tools', 'evals'])
})

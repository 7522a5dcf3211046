import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Agency, Agent } from '../../src/index.ts'
import { startLab } from './lab.ts'
import { launchChromium } from './launch.ts'
import { ask, findBarriers, ORDER, openPlayground, WEATHER } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const box = (page: Page, agent: string) => page.locator(`.agent-box[data-agent="${agent}"]`)
const details = (page: Page, name: string) => page.getByRole('region', { name, exact: true })

test('a click on an agent shows its prompt, tools and messages', async () => {
  const { page } = await openPlayground(browser)
  await ask(page, WEATHER)
  await box(page, 'Researcher').click()
  const agent = details(page, 'Agent Researcher')
  await agent.getByRole('button', { name: 'Prompt' }).click()
  expect(await agent.getByLabel('Prompt of Researcher').textContent()).toContain('You are the Researcher')
  await agent.getByRole('button', { name: '1 tool' }).click()
  await agent.getByRole('button', { name: /get_weather/ }).click()
  expect(await agent.getByLabel('Schema of get_weather').textContent()).toContain('"city"')
  const messages = agent.getByRole('list', { name: 'Messages of Researcher' })
  expect(await messages.textContent()).toMatch(/asked by Guide, called get_weather.*Paris/s)
  expect(await findBarriers(page)).toEqual([])
  await agent.getByRole('button', { name: 'Close the details' }).click()
  await page.getByRole('table', { name: 'Usage by agent' }).waitFor()
})

test('a click on an edge shows what went over it; the two kinds differ', async () => {
  const { page } = await openPlayground(browser)
  await ask(page, WEATHER)
  await ask(page, ORDER)
  const edge = (id: string) => page.locator(`.react-flow__edge[data-id="${id}"]`)
  await edge('Guide->Researcher').locator('.react-flow__edge-interaction').dispatchEvent('click')
  const asked = details(page, 'From Guide to Researcher')
  expect(await asked.locator('.facts').textContent()).toContain('asks and waits')
  expect(await asked.getByRole('listitem').first().textContent()).toMatch(/Guide asked.*Researcher answered.*15 °C/s)
  await edge('Guide->Support').locator('.react-flow__edge-interaction').dispatchEvent('click')
  const handed = details(page, 'From Guide to Support')
  expect(await handed.textContent()).toMatch(/hands over.*Run 2: Guide handed the conversation to Support/)
  const dashes = (id: string) =>
    edge(id)
      .locator('.react-flow__edge-path')
      .evaluate((path) => getComputedStyle(path).strokeDasharray)
  expect(await dashes('Guide->Researcher')).toBe('none')
  expect(await dashes('Guide->Support')).not.toBe('none')
  expect(await page.locator('.legend').textContent()).toBe(' asks and waits hands over')
})

test('the graph is worked by keyboard', async () => {
  const { page } = await openPlayground(browser)
  await box(page, 'Guide').waitFor()
  await page.locator('.react-flow__node[data-id=Support]').focus()
  await page.keyboard.press('Enter')
  await details(page, 'Agent Support').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('table', { name: 'Usage by agent' }).waitFor()
  expect(await page.evaluate(() => document.activeElement?.getAttribute('data-id'))).toBe('Support')
  await page.getByRole('button', { name: 'Guide', exact: true }).press('Enter')
  await details(page, 'Agent Guide').waitFor()
})

test('a failed agent is red until the next run', async () => {
  const lab = await startLab()
  const { page } = await openPlayground(browser, { serve: { agencies: { lab: lab.agency } } })
  await ask(page, 'please fail')
  const planner = box(page, 'Planner')
  expect(await planner.getAttribute('data-state')).toBe('failed')
  expect(await planner.textContent()).toContain('failed')
  await ask(page, 'Good day')
  expect(await planner.getAttribute('data-state')).toBe('idle')
})

/** An agency of 20 agents that all talk to one. */
function startStar(): Agency {
  const agents = Array.from({ length: 20 }, (_, index) => new Agent({ name: `Agent ${index}`, model: 'demo' }))
  const [first, ...others] = agents as [Agent, ...Agent[]]
  return new Agency(first, { name: 'star', communicationFlows: others.map((other) => [first, other]) })
}

test('20 agents are readable beside the conversation, and on a phone', async () => {
  const star = startStar()
  for (const [viewport, least] of [
    [{ width: 1440, height: 900 }, 90],
    [{ width: 390, height: 844 }, 64],
  ] as const) {
    const { page } = await openPlayground(browser, { serve: { agencies: { star } }, viewport })
    if (viewport.width < 760) await page.getByRole('button', { name: 'Details' }).click()
    await box(page, 'Agent 19').waitFor()
    const graph = await page.locator('.graph').boundingBox()
    for (const agent of await page.locator('.agent-box').all()) {
      const spot = await agent.boundingBox()
      expect(spot?.width).toBeGreaterThan(least)
      expect(spot?.x).toBeGreaterThanOrEqual(graph?.x ?? 0)
      expect((spot?.x ?? 0) + (spot?.width ?? 0)).toBeLessThanOrEqual((graph?.x ?? 0) + (graph?.width ?? 0))
    }
  }
})

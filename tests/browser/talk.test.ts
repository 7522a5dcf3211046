import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { agency as starter } from '../../examples/starter/agency.ts'
import { startLab } from './lab.ts'
import { launchChromium } from './launch.ts'
import { answer, ask, nextRequest, ORDER, openPlayground, WEATHER } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const tokensIn = async (page: Page, agent: string) => {
  const cells = await page.locator('.figures-table tbody tr', { hasText: agent }).locator('td').allTextContents()
  return Number(cells[2]) + Number(cells[3])
}
/** Settles when the next request for this path has arrived at a server of this process. */
const requested = (path: string) =>
  new Promise<void>((resolve) => {
    const onStart = (message: unknown) => {
      if ((message as { request: IncomingMessage }).request.url !== path) return
      unsubscribe('http.server.request.start', onStart)
      resolve()
    }
    subscribe('http.server.request.start', onStart)
  })
/** Notes every value that an attribute of an element takes from now on, or its text; nothing that is drawn is missed. */
const watch = (page: Page, selector: string, attribute?: string) =>
  page.evaluate(
    ([selector = '', attribute]) => {
      const seen = new Set<string>()
      Object.assign(globalThis, { [`seen ${selector}`]: seen })
      const look = () => {
        const element = document.querySelector(selector)
        if (element !== null) seen.add((attribute ? element.getAttribute(attribute) : element.textContent) ?? '')
      }
      new MutationObserver(look).observe(document, {
        subtree: true,
        childList: true,
        attributes: true,
        characterData: true,
      })
      look()
    },
    [selector, attribute],
  )
const seen = (page: Page, selector: string): Promise<string[]> =>
  page.evaluate(
    (name) => [...((globalThis as never as { [name: string]: Set<string> })[name] as Set<string>)],
    `seen ${selector}`,
  )

test('a starter is a button, and a tool call is a card', async () => {
  const { page } = await openPlayground(browser)
  const question = page.getByRole('button', { name: 'What is 17 plus 25?' })
  await question.waitFor()
  await watch(page, '.said')
  await question.click()
  await page.locator('.turn-foot').waitFor()
  const whole = (await answer(page).textContent()) ?? ''
  expect(whole).toContain('17 + 25 = 42')
  const pieces = (await seen(page, '.said')).filter((text) => text !== whole)
  expect(pieces.length).toBeGreaterThan(1) // the demo's answer is short, and the page draws it every 33 ms
  expect(pieces.filter((text) => !whole.startsWith(text))).toEqual([])
  const card = page.locator('.card', { hasText: 'add_numbers' })
  expect(await card.locator('.call-state').textContent()).toMatch(/^\d+(\.\d)? m?s$/)
  await card.getByRole('button').click()
  expect(await card.getByLabel('Arguments').textContent()).toContain('"a": 17')
  expect(await card.getByLabel('Result').textContent()).toContain('17 + 25 = 42')
  expect(await page.locator('.turn-foot .figures').textContent()).toMatch(/^[\d.]+ m?s · \d+ in · \d+ out · \$0$/)
})

test("a sub-agent's answer is shown inside its call", async () => {
  const { page } = await openPlayground(browser)
  await page.locator('.agent-box').first().waitFor()
  await watch(page, '.card.ask', 'data-open')
  await watch(page, '.react-flow__node', 'style')
  await watch(page, '[data-agent=Guide]', 'data-state')
  await watch(page, '[data-agent=Researcher]', 'data-state')
  await watch(page, '.react-flow__edge[data-id="Guide->Researcher"]', 'class')
  await page.getByRole('button', { name: WEATHER }).click()
  const card = page.locator('.card.ask')
  await page.locator('.turn-foot').waitFor()
  expect(await seen(page, '.card.ask')).toContain('true') // unfolded by itself while it runs
  expect(await card.getAttribute('data-open')).toBe('false') // folded when it is done
  expect(await seen(page, '.react-flow__node')).not.toContainEqual(expect.stringContaining('hidden'))
  await card.getByRole('button').first().click()
  expect(await card.locator('.fold-line').first().textContent()).toContain('Guide asked Researcher')
  expect(await card.locator('.card', { hasText: 'get_weather' }).count()).toBe(1)
  expect(await card.locator('.said').textContent()).toMatch(/^Researcher.*In Paris it is/)
  expect(await answer(page).textContent()).toMatch(/^Guide.*Researcher answered/)

  expect(await seen(page, '[data-agent=Guide]')).toEqual(expect.arrayContaining(['working', 'waiting', 'idle']))
  expect(await seen(page, '[data-agent=Researcher]')).toEqual(expect.arrayContaining(['working', 'idle']))
  const edge = '.react-flow__edge[data-id="Guide->Researcher"]'
  expect((await seen(page, edge)).some((classes) => classes.includes('active'))).toBe(true)
  const researcher = await tokensIn(page, 'Researcher')
  expect(await page.locator('.edge-label').textContent()).toBe(`1× · ${researcher} tok · $0`)
  expect(researcher).toBeGreaterThan(0)
  const [, input, output] = /· (\d+) in · (\d+) out/.exec((await page.locator('.turn-foot').textContent()) ?? '') ?? []
  expect(researcher + (await tokensIn(page, 'Guide'))).toBe(Number(input) + Number(output))
  expect(await page.locator('[data-tool=get_weather]').textContent()).toContain('1×')
})

test("costs are shown during the run, at the server's prices", async () => {
  const lab = await startLab()
  const prices = { lab: { inputUsdPerMillion: 1, outputUsdPerMillion: 5 } }
  const { page } = await openPlayground(browser, { serve: { agencies: { lab: lab.agency }, prices } })
  const figures = page.locator('[data-agent=Planner] .agent-box-figures')
  await figures.waitFor()
  await page.getByRole('textbox', { name: 'Message' }).fill('hold on')
  await page.keyboard.press('Enter')
  await expect.poll(() => figures.textContent()).toBe('120 tok · $0.0002') // the tool is still at work
  expect(await page.locator('.turn-foot').count()).toBe(0)
  lab.release()
  await page.locator('.turn-foot').waitFor()
  await expect.poll(() => figures.textContent()).toBe('240 tok · $0.0004')
  expect(await page.locator('.turn-foot .figures').textContent()).toMatch(/\$0\.0004$/)
})

test('a handoff is shown, and the next message goes to the agent in charge', async () => {
  const { page } = await openPlayground(browser)
  await ask(page, ORDER)
  expect(await page.locator('.handoff').textContent()).toBe('Guide handed the conversation to Support')
  expect(await answer(page).textContent()).toMatch(/^Support.*Order 1234 left/)
  expect(await page.getByRole('combobox', { name: 'To', exact: true }).inputValue()).toBe('Support')
  expect(await page.locator('.edge-label[data-edge="Guide->Support"]').textContent()).toBe('1×')
  const asked = nextRequest(page)
  await ask(page, 'Thank you')
  const { recipient_agent, chat_history } = await asked
  expect(recipient_agent).toBe('Support')
  expect(chat_history.length).toBeGreaterThan(4)
  await page.getByRole('combobox', { name: 'To', exact: true }).selectOption('Researcher')
  const next = nextRequest(page)
  await ask(page, 'Hello')
  expect((await next).recipient_agent).toBe('Researcher')
})

test('Stop ends a run at once and keeps the conversation', async () => {
  const { page } = await openPlayground(browser)
  const message = page.getByRole('textbox', { name: 'Message' })
  for (const stop of [
    () => page.getByRole('button', { name: 'Stop', exact: true }).click(),
    () => page.keyboard.press('Escape'),
  ]) {
    await message.fill('Tell me a long story')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() =>
      [...document.querySelectorAll('.said[data-state="open"]')].at(-1)?.textContent?.includes('Part 1'),
    )
    await stop()
    await page.locator('.turn').last().locator('.turn-foot').waitFor()
    expect(await page.locator('.turn').last().textContent()).toContain('Stopped.')
    expect(await answer(page).textContent()).toMatch(/Part 1.*Stopped here/)
    expect(await answer(page).textContent()).not.toContain('Part 8')
  }
  await ask(page, 'What is 17 plus 25?')
  expect(await answer(page).textContent()).toContain('42')
})

test('Stop after this turn lets a tool finish and asks the model no more', async () => {
  const lab = await startLab()
  const { page, url } = await openPlayground(browser, { serve: { agencies: { lab: lab.agency } } })
  await page.getByRole('textbox', { name: 'Message' }).fill('hold on')
  await page.keyboard.press('Enter')
  await page.locator('.card .busy').waitFor()
  await page.waitForSelector('[data-tool=hold][data-active=true]')
  // An Escape that takes back a half-written character is none for the run.
  await page.locator('#message').evaluate((box) => {
    box.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', isComposing: true, bubbles: true }))
  })
  const told = requested('/lab/cancel_response_stream')
  await page.getByRole('button', { name: 'Stop after this turn' }).click()
  await told
  await fetch(`${url}/healthz`) // by then the server has read the other request too
  expect(await page.locator('.pulse').textContent()).toContain('Stopping after this turn')
  lab.release()
  await page.locator('.turn-foot').waitFor()
  await page.locator('.card').getByRole('button').click()
  expect(await page.getByLabel('Result').textContent()).toBe('let go')
  expect(await page.locator('.turn').textContent()).toContain('Stopped.')
  expect(lab.calls()).toBe(1)
})

test('Markdown is rendered, HTML and remote pictures are not', async () => {
  const lab = await startLab()
  const { page } = await openPlayground(browser, { serve: { agencies: { starter, lab: lab.agency } } })
  await page.getByRole('combobox', { name: 'Agency' }).selectOption('lab')
  await ask(page, 'A plan, please')
  const said = answer(page)
  expect(await said.locator('h3').textContent()).toBe('A plan')
  expect(await said.locator('td').allTextContents()).toEqual(['one', '2'])
  expect(await said.locator('.code-block').textContent()).toContain('const answer = 42')
  expect(await said.locator('img').count()).toBe(0)
  expect(await said.textContent()).toContain('<img src="https://elsewhere.example/tracker.png">')
  const reasoning = page.locator('.reasoning')
  expect(await reasoning.textContent()).toContain('Planner thought')
  expect(await reasoning.textContent()).not.toContain('needs steps')
  await reasoning.getByRole('button').click()
  expect(await reasoning.textContent()).toContain('A plan needs steps.')
  await page.getByRole('button', { name: 'Thanks' }).click()
  await page.locator('.turn').nth(1).locator('.turn-foot').waitFor()
  expect(await page.locator('.user-text').last().textContent()).toBe('Thanks')
  expect(await answer(page).textContent()).toContain('Understood.')
})

test('a failure has a clear text, and the turn can be sent again', async () => {
  const lab = await startLab()
  const { page } = await openPlayground(browser, { serve: { agencies: { lab: lab.agency } } })
  await ask(page, 'please fail')
  const notice = page.locator('.notice')
  expect(await notice.textContent()).toMatch(/The run of agent Planner failed.*server's log/)
  await page.getByRole('textbox', { name: 'Message' }).focus()
  await page.keyboard.press('ArrowUp')
  expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('please fail')
  const asked = nextRequest(page)
  await page.getByRole('textbox', { name: 'Message' }).fill('please work')
  await page.keyboard.press('Enter')
  expect((await asked).chat_history).toBeUndefined()
  await page.locator('.turn-foot').waitFor()
  expect(await page.locator('.turn').count()).toBe(1)
  expect(await answer(page).textContent()).toContain('Understood.')
})

test('running a turn again leaves the edit that was begun', async () => {
  const { page } = await openPlayground(browser)
  const message = page.getByRole('textbox', { name: 'Message' })
  await ask(page, 'Hello')
  await page.getByRole('button', { name: 'Edit and resend message 1' }).click()
  await message.fill('Hello there')
  await page.getByRole('button', { name: 'Run turn 1 again' }).click()
  await page.locator('.turn-foot').waitFor()
  expect(await page.locator('.editing').count()).toBe(0)
  expect(await message.inputValue()).toBe('')
  await ask(page, 'And now?')
  expect(await page.locator('.user-text').allTextContents()).toEqual(['Hello', 'And now?'])
})

test('a lost server is reported, and the turn can run again', async () => {
  const { page } = await openPlayground(browser, { expectedErrors: ['ERR_FAILED'] })
  await page.locator('.agent-box').first().waitFor()
  await page.route('**/get_response_stream', (route) => route.abort())
  await ask(page, 'Hello')
  expect(await page.locator('.notice').textContent()).toContain('The server cannot be reached.')
  await page.unroute('**/get_response_stream')
  await page.getByRole('button', { name: 'Run turn 1 again' }).click()
  await page.locator('.said').waitFor()
  await page.locator('.turn-foot').waitFor()
  expect(await page.locator('.notice').count()).toBe(0)
})

test('dropped, pasted and linked files are sent and kept', async () => {
  // A server that fetches no files refuses the address; what is looked at here is what it was sent.
  const { page } = await openPlayground(browser, { expectedErrors: ['status of 422'] })
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  const prevented = await page.evaluate((pixel) => {
    const bytes = Uint8Array.from(atob(pixel), (char) => char.charCodeAt(0))
    const give = (file: File, type: string, make: (data: DataTransfer) => Event) => {
      const data = new DataTransfer()
      data.items.add(file)
      return document.querySelector(type)?.dispatchEvent(make(data)) === false
    }
    const how = { bubbles: true, cancelable: true }
    const table = new File(['a,b\n1,2\n'], 'table.csv', { type: 'text/csv' })
    // Beside the chat, where a browser would leave the page for the file.
    const drag = (type: string) =>
      give(table, '.chats', (dataTransfer) => new DragEvent(type, { ...how, dataTransfer }))
    return [
      drag('dragover'),
      drag('drop'),
      give(
        new File([bytes], 'dot.png', { type: 'image/png' }),
        '#message',
        (clipboardData) => new ClipboardEvent('paste', { ...how, clipboardData }),
      ),
    ]
  }, PIXEL)
  expect(prevented).toEqual([true, true, true])
  await page.getByRole('button', { name: 'Attach a file by URL' }).click()
  await page.getByRole('textbox', { name: 'URL' }).fill('http://127.0.0.1:9/report.pdf?x=1')
  await page.keyboard.press('Enter')
  await page.getByText('report.pdf').waitFor()
  const asked = nextRequest(page)
  await page.getByRole('textbox', { name: 'Message' }).fill('Look at these')
  await page.keyboard.press('Enter')
  const { message, file_urls } = await asked
  const csv = `data:text/csv;base64,${Buffer.from('a,b\n1,2\n').toString('base64')}`
  const parts = message[0].content
  expect(parts[0]).toEqual({ type: 'input_text', text: 'Look at these' })
  expect(parts).toContainEqual({ type: 'input_file', filename: 'table.csv', file_data: csv })
  expect(parts).toContainEqual({ type: 'input_image', image_url: `data:image/png;base64,${PIXEL}`, detail: 'auto' })
  expect(file_urls).toEqual({ 'report.pdf': 'http://127.0.0.1:9/report.pdf?x=1' })

  await page.locator('.turn-foot').waitFor()
  await page.getByRole('button', { name: 'Edit and resend message 1' }).click()
  await page.getByRole('button', { name: 'Remove report.pdf' }).click()
  const again = nextRequest(page)
  await page.keyboard.press('Control+End')
  await page.getByRole('textbox', { name: 'Message' }).press('Enter')
  const second = await again
  expect(second.message).toEqual(message)
  expect(second.file_urls).toBeUndefined()
  await page.locator('.said').waitFor()
  expect(await page.locator('.user-message .thumbnail').count()).toBe(1)
})

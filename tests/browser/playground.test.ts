import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { agency as starter } from '../../examples/starter/agency.ts'
import { agencySwarm } from '../../src/fastify.ts'
import { startServer } from '../support/client.ts'
import { startLab } from './lab.ts'
import { launchChromium } from './launch.ts'
import { ask, findBarriers, nextRequest, openPage, openPlayground } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const WEATHER = 'Ask the Researcher about the weather in Paris'
const ORDER = 'I want to talk to Support about order 1234'
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const answer = (page: Page) => page.locator('.turn').last().locator('.said').last()
const tokensIn = async (page: Page, agent: string) => {
  const cells = await page.locator('.figures-table tbody tr', { hasText: agent }).locator('td').allTextContents()
  return Number(cells[2]) + Number(cells[3])
}
/** Every state that an element's attribute takes, from now on. */
const watch = (page: Page, selector: string, attribute: string) =>
  page.evaluate(
    ([selector, attribute]) => {
      const seen = new Set<string>()
      Object.assign(globalThis, { [`seen ${selector}`]: seen })
      setInterval(
        () => seen.add(document.querySelector(selector as string)?.getAttribute(attribute as string) ?? ''),
        10,
      )
    },
    [selector, attribute],
  )
const seen = (page: Page, selector: string): Promise<string[]> =>
  page.evaluate(
    (name) => [...((globalThis as never as { [name: string]: Set<string> })[name] as Set<string>)],
    `seen ${selector}`,
  )

test('a starter is a button, the answer streams, and the tool call is a card with arguments, result and time', async () => {
  const { page } = await openPlayground(browser)
  await page.getByRole('button', { name: 'What is 17 plus 25?' }).click()
  await page.waitForFunction(() => (document.querySelector('.said[data-state="open"]')?.textContent?.length ?? 0) > 20)
  const early = (await answer(page).textContent()) ?? ''
  await page.locator('.turn-foot').waitFor()
  expect((await answer(page).textContent())?.length).toBeGreaterThan(early.length)
  expect(await answer(page).textContent()).toContain('17 + 25 = 42')
  const card = page.locator('.card', { hasText: 'add_numbers' })
  expect(await card.locator('.call-state').textContent()).toMatch(/^\d+(\.\d)? m?s$/)
  await card.getByRole('button').click()
  expect(await card.getByLabel('Arguments').textContent()).toContain('"a": 17')
  expect(await card.getByLabel('Result').textContent()).toContain('17 + 25 = 42')
  expect(await page.locator('.turn-foot .figures').textContent()).toMatch(/^[\d.]+ m?s · \d+ in · \d+ out · \$0$/)
})

test('a sub-agent talks inside the call that asked it, and the graph lights up meanwhile', async () => {
  const { page } = await openPlayground(browser)
  await page.locator('.agent-box').first().waitFor()
  await watch(page, '[data-agent=Guide]', 'data-state')
  await watch(page, '[data-agent=Researcher]', 'data-state')
  await watch(page, '.react-flow__edge[data-id="Guide->Researcher"]', 'class')
  await page.getByRole('button', { name: WEATHER }).click()
  const card = page.locator('.card.ask')
  await card.locator('.said[data-state="open"]').waitFor() // unfolded by itself while it runs
  expect(await page.locator('.agent-box').first().isVisible()).toBe(true)
  await page.locator('.turn-foot').waitFor()
  expect(await card.locator('.fold-body').count()).toBe(0) // folded when it is done
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
  expect(await page.locator(edge).textContent()).toBe(`1 message · ${researcher} tok`)
  expect(researcher).toBeGreaterThan(0)
  const [, input, output] = /· (\d+) in · (\d+) out/.exec((await page.locator('.turn-foot').textContent()) ?? '') ?? []
  expect(researcher + (await tokensIn(page, 'Guide'))).toBe(Number(input) + Number(output))
  expect(await page.locator('[data-tool=get_weather]').textContent()).toContain('1×')
})

test('a handoff is told, and the next message goes to the agent in charge', async () => {
  const { page } = await openPlayground(browser)
  await ask(page, ORDER)
  expect(await page.locator('.handoff').textContent()).toBe('Guide handed the conversation to Support')
  expect(await answer(page).textContent()).toMatch(/^Support.*Order 1234 left/)
  expect(await page.getByRole('combobox', { name: 'To', exact: true }).inputValue()).toBe('Support')
  expect(await page.locator('.react-flow__edge[data-id="Guide->Support"]').textContent()).toBe('1 message')
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

test('Stop ends a run at once, keeps what was said in sight, and the conversation goes on', async () => {
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
    expect(await answer(page).textContent()).toMatch(/Part 1.*It was stopped here/)
    expect(await answer(page).textContent()).not.toContain('Part 8')
  }
  await ask(page, 'What is 17 plus 25?')
  expect(await answer(page).textContent()).toContain('42')
})

test('Stop after this turn lets a tool finish and asks the model no more', async () => {
  const lab = await startLab()
  const { page } = await openPlayground(browser, { serve: { agencies: { lab: lab.agency } } })
  await page.getByRole('textbox', { name: 'Message' }).fill('hold on')
  await page.keyboard.press('Enter')
  await page.locator('.card .busy').waitFor()
  await page.waitForSelector('[data-tool=hold][data-active=true]')
  await page.getByRole('button', { name: 'Stop after this turn' }).click()
  expect(await page.locator('.pulse').textContent()).toContain('Stopping after this turn')
  lab.release()
  await page.locator('.turn-foot').waitFor()
  await page.locator('.card').getByRole('button').click()
  expect(await page.getByLabel('Result').textContent()).toBe('let go')
  expect(await page.locator('.turn').textContent()).toContain('Stopped.')
  expect(lab.calls()).toBe(1)
})

test('Markdown is drawn, HTML is not, reasoning is folded, and no picture is fetched from elsewhere', async () => {
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

test('a failure is told in plain words with the way out, and the turn can be changed and sent again', async () => {
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

test('a server that is gone is told, and the same turn runs again when it is back', async () => {
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

test('files are dropped, pictures pasted, addresses added; all of it goes along and survives an edit', async () => {
  // A server that fetches no files refuses the address; what is looked at here is what it was sent.
  const { page } = await openPlayground(browser, { expectedErrors: ['status of 422'] })
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  await page.evaluate((pixel) => {
    const bytes = Uint8Array.from(atob(pixel), (char) => char.charCodeAt(0))
    const give = (file: File, type: string, make: (data: DataTransfer) => Event) => {
      const data = new DataTransfer()
      data.items.add(file)
      document.querySelector(type)?.dispatchEvent(make(data))
    }
    const how = { bubbles: true, cancelable: true }
    give(
      new File(['a,b\n1,2\n'], 'table.csv', { type: 'text/csv' }),
      '.chat',
      (dataTransfer) => new DragEvent('drop', { ...how, dataTransfer }),
    )
    give(
      new File([bytes], 'dot.png', { type: 'image/png' }),
      '#message',
      (clipboardData) => new ClipboardEvent('paste', { ...how, clipboardData }),
    )
  }, PIXEL)
  await page.getByRole('button', { name: 'Attach a file by its address' }).click()
  await page.getByRole('textbox', { name: 'Address' }).fill('http://127.0.0.1:9/report.pdf?x=1')
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
  await page.getByRole('button', { name: 'Edit and resend turn 1' }).click()
  await page.getByRole('button', { name: 'Leave report.pdf out' }).click()
  const again = nextRequest(page)
  await page.keyboard.press('Control+End')
  await page.getByRole('textbox', { name: 'Message' }).press('Enter')
  const second = await again
  expect(second.message).toEqual(message)
  expect(second.file_urls).toBeUndefined()
  await page.locator('.said').waitFor()
  expect(await page.locator('.user-message .thumbnail').count()).toBe(1)
})

test('the inspector has every event as it came, filters them, draws the time line and gives the request as code', async () => {
  const { page, url } = await openPlayground(browser, { permissions: ['clipboard-read', 'clipboard-write'] })
  const streamed = page.waitForResponse((response) => response.url().endsWith('/get_response_stream'))
  await ask(page, WEATHER)
  const frames = (await (await streamed).text()).split('\n\n').filter(Boolean)
  await page.getByRole('button', { name: 'Inspect turn 1' }).click()
  expect(await page.locator('.counted').textContent()).toBe(`${frames.length} events`)
  await page.getByRole('button', { name: 'Copy events' }).click()
  await page.getByText('Copied').waitFor()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${frames.join('\n\n')}\n\n`)
  expect(await page.locator('.lane').allTextContents()).toEqual(['Guide', '↳ Researcher'])
  expect(await page.locator('.lane .span.model').count()).toBe(4)

  await page.getByLabel('Agent', { exact: true }).selectOption('Researcher')
  await page.getByLabel('Type', { exact: true }).selectOption('tool_called')
  expect(await page.locator('.counted').textContent()).toBe(`1 of ${frames.length} events`)
  await page.getByRole('listbox', { name: 'Events' }).focus()
  await page.keyboard.press('ArrowDown')
  const shown = JSON.parse((await page.getByLabel(/^Event \d+$/).textContent()) ?? '')
  expect(shown.data).toMatchObject({ agent: 'Researcher', callerAgent: 'Guide', name: 'tool_called' })
  await page.getByRole('button', { name: 'Copy as curl' }).click()
  await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith('curl'))
  const curl = await page.evaluate(() => navigator.clipboard.readText())
  expect(curl).toContain(`curl -N '${url}/starter/get_response_stream'`)
  expect(curl).toContain(WEATHER)
})

test('a token is asked for, a wrong one refused, the right one kept for the tab alone', async () => {
  process.env.PAGE_TOKEN = 'page-secret'
  onTestFinished(() => {
    delete process.env.PAGE_TOKEN
  })
  const expectedErrors = ['status of 401']
  const { page } = await openPlayground(browser, {
    serve: { appTokenEnv: 'PAGE_TOKEN', protectDocs: true },
    expectedErrors,
  })
  const dialog = page.getByRole('dialog', { name: 'This server wants a token' })
  await dialog.waitFor()
  expect(await page.textContent('body')).not.toContain('Guide')
  expect(await findBarriers(page)).toEqual([])
  await page.keyboard.type('wrong')
  await page.keyboard.press('Enter')
  await dialog.waitFor()
  await page.getByRole('textbox', { name: 'Token' }).fill('')
  await page.getByText('did not accept').waitFor()
  await page.keyboard.type('page-secret')
  await page.keyboard.press('Enter')
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  await ask(page, 'Hello')
  expect(await answer(page).textContent()).toContain('demo model')
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('page-secret')
  await page.reload()
  await page.locator('.turn-foot').waitFor()
  const elsewhere = await browser.newContext()
  onTestFinished(() => elsewhere.close())
  const other = await elsewhere.newPage()
  await other.goto(page.url())
  await other.getByRole('dialog').waitFor()
})

test('a reload keeps the conversation, which can be exported, deleted and imported again', async () => {
  const { page } = await openPlayground(browser)
  await ask(page, WEATHER)
  await ask(page, ORDER)
  const before = await page.locator('.transcript').textContent()
  await page.reload()
  await page.locator('.turn').nth(1).waitFor()
  expect(await page.locator('.transcript').textContent()).toBe(before)

  const downloading = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Export' }).click()
  const path = await (await downloading).path()
  const file = JSON.parse(readFileSync(path, 'utf8'))
  expect(file).toMatchObject({ agency: 'starter', recipient_agent: 'Support' })
  expect(file.chat_history.length).toBeGreaterThan(8)

  await page.locator('.chats li').first().hover()
  await page.getByRole('button', { name: /^Delete/ }).click()
  expect(await page.locator('.turn').count()).toBe(0)
  await page.reload()
  await page.getByRole('button', { name: WEATHER }).waitFor()
  expect(await page.locator('.chats li').count()).toBe(0)

  await page
    .getByLabel('Conversation to import')
    .setInputFiles({ name: 'notes.json', mimeType: 'application/json', buffer: Buffer.from('{"a": 1}') })
  await page.getByText('notes.json cannot be imported. It has no "chat_history"').waitFor()
  await page.getByLabel('Conversation to import').setInputFiles(path)
  await page.locator('.turn').nth(1).waitFor()
  const texts = (selector: string) => page.locator(selector).allTextContents()
  expect(await texts('.handoff')).toEqual(['Guide handed the conversation to Support'])
  expect((await texts('.said')).join()).toContain('Order 1234 left the warehouse')
  const asked = nextRequest(page)
  await ask(page, 'Thank you')
  expect(await asked).toMatchObject({ recipient_agent: 'Support', chat_history: file.chat_history })
})

test('a run that its page left is over, which the page says when it is back', async () => {
  const { page } = await openPlayground(browser)
  await page.getByRole('textbox', { name: 'Message' }).fill('Tell me a long story')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.querySelector('.said')?.textContent?.includes('Part 1'))
  await page.reload()
  await page.getByText('The page was left while this answer was on its way').waitFor()
  expect(await page.locator('.user-text').textContent()).toBe('Tell me a long story')
  await page.getByRole('button', { name: 'Run turn 1 again' }).click()
  await page.locator('.said[data-state="open"]').waitFor()
})

test('request settings go along, what is no JSON is said and blocks, and keys are kept out of what is stored', async () => {
  const { page } = await openPlayground(browser)
  await page.getByRole('tab', { name: 'Request' }).click()
  await page.getByLabel('Additional instructions').fill('Be brief.')
  const context = page.getByRole('textbox', { name: 'user_context' })
  await context.fill('{"customer": ')
  await page.getByText('It is no JSON yet').waitFor()
  await page.getByRole('textbox', { name: 'Message' }).fill('Hello')
  expect(await page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true)
  await page.getByText('hold something that is not valid').waitFor()
  await context.fill('{"customer": "c-17"}')
  const config = page.getByRole('textbox', { name: 'client_config' })
  await config.fill('{"apiKey": "x"}')
  await page.getByText('There is no "apiKey"').waitFor()
  await config.fill('{"api_key": "sk-of-the-user"}')
  const asked = nextRequest(page)
  await ask(page, 'Hello')
  expect(await asked).toMatchObject({
    additional_instructions: 'Be brief.',
    user_context: { customer: 'c-17' },
    client_config: { api_key: 'sk-of-the-user' },
  })
  await page.reload()
  await page.locator('.turn-foot').waitFor()
  const stored = await page.evaluate(async () => {
    const names = (await indexedDB.databases()).map(({ name }) => name as string)
    const all = await Promise.all(
      names.map(
        (name) =>
          new Promise((resolve) => {
            const open = indexedDB.open(name)
            open.onsuccess = () => {
              const read = open.result.transaction('conversations').objectStore('conversations').getAll()
              read.onsuccess = () => resolve(JSON.stringify(read.result))
            }
          }),
      ),
    )
    return JSON.stringify([all, localStorage])
  })
  expect(stored).toContain('Hello')
  expect(stored).not.toContain('sk-of-the-user')
})

test('at the width of a phone one thing is seen at a time, and nothing is wider than the screen', async () => {
  const { page } = await openPlayground(browser, {
    viewport: { width: 360, height: 740 },
    hasTouch: true,
    isMobile: true,
  })
  await page.getByRole('button', { name: WEATHER }).tap()
  await page.locator('.turn-foot').waitFor()
  await page.locator('.card.ask').getByRole('button').first().tap()
  const tooWide = () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
  expect(await tooWide()).toBe(false)
  expect(await page.locator('.side').isVisible()).toBe(false)
  await page.getByRole('button', { name: 'Panels' }).tap()
  await page.locator('[data-agent=Researcher]').waitFor()
  await page.waitForFunction(() => (document.querySelector('.agent-box')?.getBoundingClientRect().width ?? 0) > 100)
  expect(await tooWide()).toBe(false)
  const cost = await page.locator('.figures-table tbody td').last().boundingBox()
  expect((cost?.x ?? 0) + (cost?.width ?? 0)).toBeLessThanOrEqual(360)
  for (const panel of ['Inspector', 'Request']) {
    await page.getByRole('tab', { name: panel }).tap()
    expect(await tooWide(), panel).toBe(false)
  }
  expect(await findBarriers(page)).toEqual([])
  await page.getByRole('button', { name: 'Chats' }).tap()
  await page.locator('.chat-link').tap()
  expect(await page.locator('.turn').isVisible()).toBe(true)
})

test('colours follow the system, and a button overrules it for good', async () => {
  const { page } = await openPlayground(browser, { colorScheme: 'dark' })
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  const dark = await background()
  await page.getByRole('button', { name: 'Colours: system' }).click()
  const light = await background()
  expect(light).not.toBe(dark)
  await page.reload()
  await page.getByRole('button', { name: 'Colours: light' }).waitFor()
  expect(await background()).toBe(light)
  await page.getByRole('button', { name: 'Colours: light' }).click()
  expect(await background()).toBe(dark)
})

test('axe finds nothing serious, and no text that is hard to read in light or dark', async () => {
  const lab = await startLab()
  const { page } = await openPlayground(browser, { serve: { agencies: { lab: lab.agency, starter } } })
  const look = async () => {
    expect(await findBarriers(page)).toEqual([])
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await findBarriers(page, ['color-contrast'])).toEqual([])
    await page.emulateMedia({ colorScheme: 'light' })
  }
  await ask(page, 'A plan, please')
  await page.locator('.reasoning').getByRole('button').click()
  await ask(page, 'please fail')
  await look()
  await page.getByRole('combobox', { name: 'Agency' }).selectOption('starter')
  await page.getByRole('button', { name: WEATHER }).waitFor()
  await page.locator('.agent-box').first().waitFor()
  await look()
  await ask(page, WEATHER)
  await ask(page, ORDER)
  for (const card of await page.locator('.card > button').all()) await card.click()
  await page.getByRole('tab', { name: 'Inspector' }).click()
  await page.getByRole('listbox').focus()
  await page.keyboard.press('End')
  await look()
  await page.getByRole('tab', { name: 'Request' }).click()
  await page.getByRole('textbox', { name: 'user_context' }).fill('{')
  await page.keyboard.press('Alt+k')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await look()
})

test('a barrier would be found', async () => {
  const { page } = await openPlayground(browser)
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  await page.evaluate(() => document.querySelector('.brand')?.append(document.createElement('button')))
  expect((await findBarriers(page)).join()).toContain('button-name')
})

test('everything is done by keyboard', async () => {
  const { page } = await openPlayground(browser)
  await page.locator('.agent-box').first().waitFor()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter') // the link that skips to the message
  await page.keyboard.type('What is 1 plus 2?')
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.type('Please.')
  await page.keyboard.press('Enter')
  await page.locator('.turn-foot').waitFor()
  expect(await page.locator('.user-text').textContent()).toBe('What is 1 plus 2?\nPlease.')
  await page.keyboard.press('Alt+i')
  await page.waitForFunction(() => document.activeElement?.id === 'tab-inspector')
  await page.keyboard.press('ArrowRight')
  await page.waitForFunction(() => document.activeElement?.id === 'tab-request')
  await page.keyboard.press('Alt+m')
  await page.waitForFunction(() => document.activeElement?.id === 'message')
  await page.keyboard.press('Alt+n')
  await page.getByRole('button', { name: WEATHER }).waitFor()
  await page.keyboard.press('Alt+k')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await page.keyboard.press('Escape')
  expect(await page.getByRole('dialog').count()).toBe(0)
})

test('over plain HTTP from another machine it works the same, copying included', async () => {
  const { url } = await startServer({ agencies: { starter }, playground: true })
  const page = await openPage(browser, url.replace('127.0.0.1', 'plain.test'))
  await ask(page, 'What is 17 plus 25?')
  expect(await page.evaluate(() => [isSecureContext, navigator.clipboard])).toEqual([false, undefined])
  await page.getByRole('button', { name: 'Copy answer' }).click()
  await page.getByRole('button', { name: 'Copied' }).waitFor()
  await page.getByRole('textbox', { name: 'Message' }).focus()
  await page.keyboard.press('Control+v')
  expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toContain('17 + 25 = 42')
})

test('under a prefix of another app it works the same', async () => {
  const host = Fastify()
  onTestFinished(() => host.close())
  await host.register(agencySwarm, { prefix: '/deep/ai', agencies: { starter }, playground: true })
  const address = await host.listen({ host: '127.0.0.1', port: 0 })
  const page = await openPage(browser, `${address}/deep/ai`)
  expect(page.url()).toBe(`${address}/deep/ai/`)
  await page.locator('.agent-box').first().waitFor()
  await ask(page, 'What is 17 plus 25?')
  expect(await answer(page).textContent()).toContain('42')
})

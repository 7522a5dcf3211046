import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { agency, FormatAddress } from '../examples/starter/agency.ts'
import { Agency, Agent, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { emptyFolder, ROOT, runCli, startCli } from './support/cli.ts'
import { startServer, useUpstream } from './support/client.ts'

vi.setConfig({ testTimeout: 60_000 }) // each test starts several processes

const ESC = '\u001b'
const STARTER = join(ROOT, 'examples/starter/agency.ts')
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 15_000 })

test('chat in a pipe: answers on stdout, everything else on stderr', async () => {
  promise('C3')
  const { url } = await startServer({ agencies: { starter: agency }, tools: [FormatAddress] })
  const folder = emptyFolder()
  const lines = [
    'Ask the Researcher about the weather in Paris',
    'I want to talk to Support about order 1234',
    '/agent',
    '/agent guide',
    '/save kept.json',
    '/help',
  ]
  const chat = await runCli(['chat', url], { cwd: folder, input: lines.join('\n') })
  expect(chat.code).toBe(0)
  const answers = chat.out.trim().split('\n')
  expect(answers).toHaveLength(2)
  expect(answers[0]).toMatch(/^\[demo model\] Researcher answered: .*In Paris it is rainy/)
  expect(answers[1]).toContain('Order 1234 left the warehouse')
  expect(chat.err).toMatch(/^ {2}→ Researcher: Ask the Researcher/m)
  expect(chat.err).toMatch(/^ {4}→ get_weather \{"city":"Paris"\}$/m)
  expect(chat.err).toMatch(/^ {4}✓ get_weather: In Paris it is rainy, 15 °C$/m)
  expect(chat.err).toMatch(/^ {4}Researcher: \[demo model\]/m)
  expect(chat.err).toMatch(/^ {2}Support takes over$/m)
  expect(chat.err).toMatch(/^ {2}\d+ tokens · \d+\.\d s$/m)
  expect(chat.err).toMatch(/^\* Support {2}Tracks orders/m)
  expect(chat.err).toMatch(/Talking to Guide\.\nSaved \d+ messages to kept\.json\.\n {2}\/agent/)
  expect(chat.err).not.toContain(ESC)
  const kept = JSON.parse(readFileSync(join(folder, 'kept.json'), 'utf8'))
  const json = await runCli(['chat', url, '--load', 'kept.json', '--json', '--agent', 'Support'], {
    cwd: folder,
    input: 'And order 7?\n',
  })
  const result = JSON.parse(json.out)
  expect(result.response).toContain('Order 7 left')
  expect(result.new_messages[0]).toMatchObject({ agent: 'Support', content: 'And order 7?' })
  expect(json.err).toContain(`Loaded ${kept.length} messages`)
  const wrong = await runCli(['chat', url, '--load', 'none.json'], { cwd: folder })
  expect(wrong).toMatchObject({ code: 1, err: 'error: none.json cannot be read.\n' })
  expect(await runCli(['chat', url, '--agent', 'Ghost'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('Agents: Guide, Researcher, Support'),
  })
})

test('chat serves a file, selects an agency and asks for a token', async () => {
  process.env.CHAT_TOKEN = 'chat-secret'
  onTestFinished(() => {
    delete process.env.CHAT_TOKEN
  })
  const { url } = await startServer({ agencies: { one: agency, two: agency }, appTokenEnv: 'CHAT_TOKEN' })
  const two = (env: Record<string, string>) => runCli(['chat', url, '--agency', 'two'], { input: 'Hello\n', env })
  const [own, many, stranger, liar, known, nobody] = await Promise.all([
    runCli(['chat', STARTER], { input: 'What is 17 plus 25?\n' }),
    runCli(['chat', url]),
    two({}),
    two({ APP_TOKEN: 'wrong' }),
    two({ APP_TOKEN: 'chat-secret' }),
    runCli(['chat', 'http://127.0.0.1:1']),
  ])
  expect(own).toMatchObject({ code: 0, out: expect.stringContaining('17 + 25 = 42') })
  expect(many).toMatchObject({ code: 1, err: expect.stringContaining('one, two. Select one with --agency') })
  expect(stranger).toMatchObject({ code: 1, err: expect.stringMatching(/needs a token.*APP_TOKEN/) })
  expect(liar).toMatchObject({ code: 1, err: expect.stringMatching(/rejects the token in APP_TOKEN/) })
  expect(liar.err).not.toContain('needs a token')
  expect(known).toMatchObject({ code: 0, out: expect.stringContaining('You wrote: "Hello"') })
  expect(nobody).toMatchObject({ code: 1, err: expect.stringMatching(/127\.0\.0\.1:1: .*agency-swarm-js serve/) })
})

test('a failed turn exits with 1, and output has no control codes', async () => {
  const look = tool({ name: 'look', execute: () => '\u001b[2Jseen' })
  await useUpstream((_body, index) => {
    if (index === 0) return { calls: [{ name: 'look', arguments: {} }] }
    return index === 1 ? { text: '\u001b]0;title\u0007Red \u001b[31malert\u009b' } : { status: 400, message: 'no' }
  })
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Solo', model: 'gpt-4.1', tools: [look] })) },
  })
  const { code, out, err } = await runCli(['chat', url], { input: 'Look\nAgain\n' })
  expect(code).toBe(1)
  expect(out).toContain('alert')
  for (const control of [ESC, '\u0007', '\u009b']) expect(out + err).not.toContain(control)
  expect(err).toMatch(/^ {2}✓ look: seen$/m)
  expect(err).toMatch(/^error: .*failed/m)
  const json = await runCli(['chat', url, '--json'], { input: 'Again\n' })
  expect(json.code).toBe(1)
  expect(JSON.parse(json.out)).toEqual({ error: expect.stringContaining('failed'), kind: 'failed' })
})

test('Ctrl-C and /stop end the answer and keep the chat; Ctrl-C twice leaves', async () => {
  promise('B4')
  const { url } = await startServer({ agencies: { starter: agency } })
  const chat = startCli(['chat', url])
  chat.type('Tell me a long story\n')
  await eventually(() => chat.said.out).toContain('Part 2')
  chat.child.kill('SIGINT')
  await eventually(() => chat.said.err).toMatch(/stopped[\s\S]* s\n/)
  chat.type('Tell me a long story\n')
  await eventually(() => chat.said.out.match(/Part 2/g)).toHaveLength(2)
  chat.type('/stop\n')
  await eventually(() => chat.said.err.match(/stopped/g)).toHaveLength(2)
  chat.type('/stop\n')
  await eventually(() => chat.said.err).toContain('There is nothing to stop.')
  chat.child.kill('SIGINT')
  expect((await chat.ended).code).toBe(130)
})

test('chat on a thread: the server keeps it, and calls are decided', async () => {
  const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'refunded' })
  const { seen } = await useUpstream((body) => {
    const last = (body.input as { role?: string; type?: string; content?: string }[]).at(-1)
    return JSON.stringify(last).includes('Refund') ? { calls: [{ name: 'refund', arguments: {} }] } : { text: 'Done.' }
  })
  const agent = new Agent({ name: 'Clerk', model: 'gpt-4.1', tools: [refund] })
  const { url } = await startServer({ agencies: { desk: new Agency(agent) } })
  const chat = startCli(['chat', url, '--thread', 't-1'])
  chat.type('/approve\nRefund it\n')
  await eventually(() => chat.said.err).toMatch(/\? Clerk: refund \{\} {3}\/approve or \/reject/)
  expect(chat.said.err).toContain('thread t-1; it has 0 messages')
  expect(chat.said.err).toContain('No call waits for a decision.')
  chat.type('/approve\n')
  await eventually(() => chat.said.out).toBe('Done.\n')
  expect(chat.said.err).toContain('refund: refunded')
  chat.type('Refund again\n')
  await eventually(() => chat.said.err).toMatch(/\? Clerk[\s\S]*\? Clerk/)
  chat.type('/reject Not today\n')
  await eventually(() => chat.said.out).toBe('Done.\nDone.\n')
  expect(JSON.stringify(seen.at(-1)?.body.input)).toContain('Not today')
  chat.child.stdin?.end()
  expect(await chat.ended).toMatchObject({ code: 0 })

  const later = await runCli(['chat', url, '--thread', 't-1', '--json'], { input: 'Hello\n/new\nHello\n' })
  const [known, fresh] = later.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(known).toMatchObject({ response: 'Done.', cancelled: false })
  expect(fresh).toMatchObject({ response: 'Done.' })
  expect(later.err).toMatch(/thread t-1; it has 8 messages[\s\S]*it has 0 messages/)
  const listed = await runCli(['chat', url], { input: '/threads\n/thread t-1\n/tree\n' })
  expect(listed.err).toMatch(/^t-1 {2}\(10 messages\)$/m)
  expect(listed.err).toMatch(/thread t-1; it has 10 messages/)
  expect(listed.err).toMatch(/^Clerk \[refund\]$/m)
  const alone = await runCli(['chat', url, '--thread', 't-1'], { input: 'Refund it\n' })
  expect(alone).toMatchObject({ code: 1, err: expect.stringContaining('the input has ended') })

  // The run still waits on the server: a later chat finds it, and decides.
  const back = startCli(['chat', url, '--thread', 't-1'])
  await eventually(() => back.said.err).toMatch(/A run of this conversation is live[\s\S]*\? Clerk: refund/)
  back.type('/approve\n')
  await eventually(() => back.said.out).toBe('Done.\n')
  back.child.stdin?.end()
  expect(await back.ended).toMatchObject({ code: 0 })
})

test('/compact goes on with a summary, and /cost shows what all answers used', async () => {
  const upstream = await useUpstream((body) => ({
    text: JSON.stringify(body.input).includes('Summarise our conversation') ? 'Ann wants tea.' : 'Here you are.',
  }))
  const waiter = new Agent({ name: 'Waiter', model: 'gpt-4.1' })
  const { url } = await startServer({ agencies: { cafe: new Agency(waiter) } })
  const input = ['/compact', 'Tea, please', '/compact', 'And a cake', '/cost', ''].join('\n')
  const chat = await runCli(['chat', url], { input })
  expect(chat.err).toContain('There is nothing to compact yet.')
  expect(chat.err).toContain('2 messages are now one summary.')
  expect(chat.err).toMatch(/^2 answers · 30 tokens/m)
  expect(upstream.seen.at(-1)?.body.input).toEqual([
    { role: 'user', type: 'message', content: 'Summary of our conversation so far:\n\nAnn wants tea.' },
    { role: 'user', type: 'message', content: 'And a cake' },
  ])
})

import { expect, test } from 'vitest'
import { Agency, Agent } from '../src/index.ts'
import { response, text } from './support/answers.ts'
import { postAndRead, startServer } from './support/client.ts'
import { everyProviderAt, startMock } from './support/providers.ts'
import { assistant, call, output, thought, user } from './support/sent.ts'

const HISTORY = [
  user('Hi'),
  thought('rs_1', { encrypted_content: 'gAAAA' }),
  call('c', { id: 'fc_1' }),
  output('c'),
  thought('rs_2', { encrypted_content: 'gAAAB' }),
  assistant([{ type: 'output_text', text: 'A', annotations: [] }], 'msg_1'),
].map((item) => ({ agent: 'A', callerAgent: null, timestamp: 1, ...item }))

/** How a provider refuses reasoning and ids that another key, deployment or server wrote. */
const REFUSALS: [status: number, error: { message: string; code?: string | null }][] = [
  [400, { message: 'The encrypted content gAAA... could not be verified.', code: 'invalid_encrypted_content' }],
  [
    400,
    {
      message: 'The encrypted content for item rs_1 could not be verified. Reason: could not be decrypted.',
      code: null,
    },
  ],
  [404, { message: "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false." }],
  [400, { message: "Item 'rs_1' of type 'reasoning' was provided without its required following item." }],
  [400, { message: "Invalid 'input[1].content': array too long. Expected an array with maximum length 0." }],
]

async function ask(refuse: (body: { input: object[] }) => [number, object] | undefined) {
  const { url: upstream, seen } = await startMock([], ({ body }, answer) => {
    const refusal = refuse(body)
    answer.writeHead(refusal?.[0] ?? 200, { 'content-type': 'application/json' })
    answer.end(JSON.stringify(refusal === undefined ? response([text('Done.')]) : { error: refusal[1] }))
    return true
  })
  everyProviderAt(upstream)
  const agencies = { solo: new Agency(new Agent({ name: 'A', model: 'gpt-5.4' })) }
  const { url } = await startServer({ agencies, exposeErrors: true })
  const answer = await postAndRead(`${url}/solo/get_response`, { message: 'Now', chat_history: HISTORY })
  return { answer, sent: seen.map(({ body }) => body.input) }
}
const bringsState = ({ input }: { input: object[] }) => /reasoning|fc_1|msg_1/.test(JSON.stringify(input))

test.each(REFUSALS)('a refusal (%i) of what another key wrote is answered without it', async (status, error) => {
  const { answer, sent } = await ask((body) => (bringsState(body) ? [status, error] : undefined))
  expect(answer).toMatchObject({ status: 200, body: { response: 'Done.' } })
  expect(sent).toHaveLength(2)
  expect(sent[1]).toMatchObject([
    { role: 'user' },
    { call_id: 'c' },
    { call_id: 'c', output: 'seen' },
    { role: 'assistant' },
    { role: 'user' },
  ])
})

test('a lasting refusal is tried twice at most, and reported', async () => {
  const { answer, sent } = await ask(() => [400, { message: 'The encrypted content could not be verified.' }])
  expect(answer.status).not.toBe(200)
  expect(JSON.stringify(answer.body)).toContain('could not be verified')
  expect(sent).toHaveLength(2)
})

test('any other refusal is tried once', async () => {
  const { answer, sent } = await ask(() => [400, { message: 'The model was not found.' }])
  expect(answer.status).not.toBe(200)
  expect(sent).toHaveLength(1)
})

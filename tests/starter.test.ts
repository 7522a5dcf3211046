import { expect, test } from 'vitest'
import { agency, FormatAddress } from '../examples/starter/agency.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, startServer } from './support/client.ts'

const questions: [message: string, agent: string, answer: RegExp][] = [
  ['Hello', 'Guide', /\[demo model\]/],
  ['What is 17 plus 25?', 'Guide', /17 \+ 25 = 42/],
  ['Ask the Researcher about the weather in Paris', 'Guide', /Researcher answered: .*In Paris it is/],
  ['I want to talk to Support about order 1234', 'Support', /Order 1234 left the warehouse/],
]

test.for(questions)('the starter agency answers %j as %s', async ([message, agent, answer]) => {
  promise('F10')
  const { url } = await startServer({ agencies: { starter: agency }, tools: [FormatAddress] })
  const frames = await allFrames(`${url}/starter/get_response_stream`, { message })
  const last = final(frames).new_messages.at(-1)
  expect(last.agent).toBe(agent)
  expect(last.content[0].text).toMatch(answer)
  expect(last.content[0].text).toMatch(/^\[demo model\] [^[]+$/) // the short tag, once
})

test('the class tool of the starter is served on its own', async () => {
  promise('B10')
  const { url } = await startServer({ tools: [FormatAddress] })
  const answer = await post(`${url}/tool/FormatAddress`, { street: 'Main 1', city: 'Bonn' })
  expect(await answer.json()).toEqual({ response: 'Main 1\nBonn' })
  const wrong = await post(`${url}/tool/FormatAddress`, { street: 'Main 1' })
  expect(wrong.status).toBe(422)
  const detail = { type: 'missing', loc: ['body', 'city'], msg: 'Field required', input: { street: 'Main 1' } }
  expect(await wrong.json()).toEqual({ detail: [detail] })
})

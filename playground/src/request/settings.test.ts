import { expect, test } from 'vitest'
import { areValid, noSettings, parseClientConfig, parseObject, settingsBody } from './settings.ts'

test('blank editors add nothing to a request', () => {
  expect(settingsBody({ ...noSettings, userContext: ' \n' })).toEqual({})
})

test('what is valid goes along', () => {
  const settings = {
    additionalInstructions: 'Be brief.',
    userContext: '{"customer": "c-17"}',
    clientConfig: '{"base_url": "https://gateway.example.com/v1", "default_headers": {"x-a": "b"}}',
    nameConversations: true,
  }
  expect(areValid(settings)).toBe(true)
  expect(settingsBody(settings)).toEqual({
    additional_instructions: 'Be brief.',
    user_context: { customer: 'c-17' },
    client_config: { base_url: 'https://gateway.example.com/v1', default_headers: { 'x-a': 'b' } },
    generate_chat_name: true,
  })
})

test.for([
  ['{"a": ', /not valid JSON/],
  ['[1]', /Enter a JSON object/],
  ['null', /Enter a JSON object/],
] as const)('%s is not a user_context, and the editor says why', ([text, reason]) => {
  const parsed = parseObject(text)
  expect(parsed.ok ? '' : parsed.problem).toMatch(reason)
  expect(areValid({ ...noSettings, userContext: text })).toBe(false)
})

test.for([
  ['{"baseUrl": "https://x"}', /Unknown field "baseUrl".*base_url/],
  ['{"toString": "x"}', /Unknown field "toString"/],
  ['{"api_key": 3}', /"api_key" must be a string/],
  ['{"default_headers": {"x": 1}}', /"default_headers" must be an object whose values are strings/],
  ['{"base_url": "gateway"}', /begin with http/],
] as const)('%s is not a client_config, and the editor says why', ([text, reason]) => {
  const parsed = parseClientConfig(text)
  expect(parsed.ok ? '' : parsed.problem).toMatch(reason)
})

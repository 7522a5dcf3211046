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
  ['{"a": ', /no JSON yet/],
  ['[1]', /has to be a JSON object/],
  ['null', /has to be a JSON object/],
] as const)('%s is no user_context, and the editor says why', ([text, reason]) => {
  const parsed = parseObject(text)
  expect(parsed.ok ? '' : parsed.problem).toMatch(reason)
  expect(areValid({ ...noSettings, userContext: text })).toBe(false)
})

test.for([
  ['{"baseUrl": "https://x"}', /no "baseUrl".*base_url/],
  ['{"toString": "x"}', /no "toString"/],
  ['{"api_key": 3}', /"api_key" has to be a text/],
  ['{"default_headers": {"x": 1}}', /"default_headers" has to be an object whose values are texts/],
  ['{"base_url": "gateway"}', /begin with http/],
] as const)('%s is no client_config, and the editor says why', ([text, reason]) => {
  const parsed = parseClientConfig(text)
  expect(parsed.ok ? '' : parsed.problem).toMatch(reason)
})

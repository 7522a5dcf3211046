import { expect, test } from 'vitest'
import { isBelow, isOpenAi, isOpenAiOnly } from './addresses.ts'

test.for([
  ['https://gw.example/v1', true],
  ['https://gw.example/v1/', true],
  ['https://gw.example/v1/team-a', true],
  ['https://gw.example:443/v1/openai/deployments/gpt-5.4', true],
  ['https://GW.example/x/../v1', true],
  ['https://gw.example/', false],
  ['https://gw.example/v10', false],
  ['https://gw.example/V1', false],
  ['https://gw.example/other/v1', false],
  ['https://gw.example/v1/../other', false],
  ['https://gw.example/v1/%2e%2e/other', false],
  ['https://gw.example/v1/..%2fother', false],
  ['https://gw.example/v1/%252e%252e/other', false],
  ['https://gw.example/v1/..;/other', false],
  ['https://gw.example/v1//other', false],
  ['https://gw.example/v1%2f..%2fother', false],
  ['http://gw.example/v1', false],
  ['https://gw.example:8443/v1', false],
  ['https://gw.example.evil.example/v1', false],
] as const)('%s lies below https://gw.example/v1/: %s', ([address, below]) => {
  expect(isBelow(address, ['https://gw.example/v1/'])).toBe(below)
})

test('an origin covers all of its paths, and no root covers nothing', () => {
  for (const address of ['https://gw.example', 'https://gw.example/a/b', 'https://gw.example/v1/x.y'])
    expect(isBelow(address, ['https://else.example', 'https://gw.example'])).toBe(true)
  expect(isBelow('https://gw.example/v1', [])).toBe(false)
})

test.for([
  ['https://api.openai.com/v1', true, true],
  ['https://eu.api.openai.com/v1', true, true],
  ['https://chatgpt.com/backend-api/codex', true, true],
  ['https://API.OpenAI.com./v1', true, true],
  ['http://api.openai.com/v1', false, true],
  ['https://mine.openai.azure.com/openai/v1', false, true],
  ['https://api.openai.com.evil.example/v1', false, false],
  ['https://evilapi.openai.com.example', false, false],
  ['https://notchatgpt.com/backend-api/codex', false, false],
  ['https://openrouter.ai/api/v1', false, false],
] as const)("%s is OpenAI's: %s, and knows no other models: %s", ([address, own, only]) => {
  expect([isOpenAi(address), isOpenAiOnly(address)]).toEqual([own, only])
})

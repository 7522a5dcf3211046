import { expect, test } from 'vitest'
import { defaultSettings } from './defaults.ts'

test.for([
  ['gpt-5.6-luna', 'none'],
  ['gpt-5.6', 'none'],
  ['gpt-5.6-sol-2026-05-05', 'none'],
  ['gpt-5', 'low'],
  ['gpt-5-2025-08-07', 'low'],
  ['gpt-5.1', 'none'],
  ['gpt-5.2-pro', 'medium'],
  ['gpt-5.4-pro-2026-01-01', 'medium'],
  ['gpt-5.2-codex', 'low'],
  ['gpt-5.3-codex', 'none'],
  ['gpt-5.4-mini', 'none'],
  ['openrouter/openai/gpt-5', 'low'],
  ['openrouter/gpt-5.4', 'none'],
] as const)('%s thinks with the effort %s and says little', ([name, effort]) => {
  expect(defaultSettings(name)).toEqual({ reasoning: { effort }, verbosity: 'low' })
})

test.for(['gpt-5-mini', 'gpt-5.3', 'gpt-5.7', 'gpt-5.1-codex', 'gpt-5-chat', 'gpt-50'])(
  '%s, whose efforts are not known, only says little',
  (name) => expect(defaultSettings(name)).toEqual({ verbosity: 'low' }),
)

test.for([
  'gpt-4.1',
  'o3',
  'gpt-5-chat-latest',
  'gpt-5.3-chat-latest',
  'openai/gpt-5',
  'litellm/openai/gpt-5',
  'azure/gpt-5',
  'GPT-5',
  'openrouter/anthropic/gpt-5',
  'demo',
])('%s gets no settings that its agent does not set', (name) => expect(defaultSettings(name)).toEqual({}))

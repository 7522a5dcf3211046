import { expect, test } from 'vitest'
import { familyOf, takesEffort, translateArgs } from './extra-args.ts'

const thinking = (budget: number) => ({ type: 'enabled', budget_tokens: budget })
const raw = { type: 'enabled', budgetTokens: 16000 }

test.for([
  [
    'anthropic/claude',
    { include: ['a'], thinking: raw, effort: 'high' },
    { thinking: thinking(16000), reasoning_effort: 'high' },
  ],
  ['anthropic/claude', { thinking: raw }, { thinking: thinking(16000), reasoning_effort: 'high' }],
  [
    'anthropic/claude',
    { extra_body: { thinking: raw }, reasoning_effort: 'low' },
    { thinking: thinking(16000), reasoning_effort: 'low' },
  ],
  ['Anthropic/claude', { reasoning_summary: 'auto', effort: 'low', top_k: 3 }, { reasoning_effort: 'low', top_k: 3 }],
  ['anthropic/claude', { thinking: { type: 'disabled' } }, { thinking: { type: 'disabled' } }],
  ['gemini/g', { thinkingConfig: { thinkingBudget: 512 } }, { thinking: thinking(512), reasoning_summary: 'auto' }],
  [
    'google/g',
    { thinkingBudget: 512, reasoning_effort: 'low' },
    { thinking: thinking(512), reasoning_summary: 'auto' },
  ],
  [
    'vertex_ai/g',
    { thinkingConfig: { thinkingLevel: 'high', includeThoughts: true }, include: ['x'] },
    { reasoning_effort: 'high', reasoning_summary: 'auto' },
  ],
  [
    'google/g',
    { thinkingLevel: 'low', reasoning_summary: 'concise' },
    { reasoning_effort: 'low', reasoning_summary: 'concise' },
  ],
  ['google/g', { max_tokens: 5 }, { max_tokens: 5 }],
  ['xai/grok-4', { reasoning_effort: 'high', include: ['x'], seed: 1 }, { seed: 1 }],
  ['x-ai/grok-3-mini', { effort: 'high', reasoning_summary: 'auto' }, { reasoning_effort: 'high' }],
  [
    'meta/llama',
    { reasoning_effort: 'high', include: ['x'], effort: 'low' },
    { reasoning_effort: 'high', effort: 'low' },
  ],
  [
    'gpt-5.4',
    { include: ['web_search_call.results', 'reasoning.encrypted_content'] },
    { include: ['reasoning.encrypted_content'] },
  ],
  [
    'azure/gpt-5.4',
    { include: ['computer_call_output.output.image_url'], effort: 'low' },
    { include: [], effort: 'low' },
  ],
] as const)('%s: %j becomes %j', ([name, args, translated]) => {
  const model = { name, family: familyOf(name, 'openai'), hostedTools: false }
  expect(translateArgs(args, model)).toEqual(translated)
  expect(translateArgs(undefined, model)).toBeUndefined()
})

test('what hosted tools add to an answer is asked for where they run', () => {
  const include = ['file_search_call.results', 'reasoning.encrypted_content']
  expect(translateArgs({ include }, { name: 'gpt-5.4', family: 'openai', hostedTools: true })).toEqual({ include })
})

test.for([
  ['grok-3-mini', true],
  ['grok-3-mini-fast-beta', true],
  ['grok-4.3', true],
  ['grok-4-1-fast', true],
  ['grok-4.20-0309-reasoning', true],
  ['grok-code-fast-1', true],
  ['xai/grok-4.3-latest', true],
  ['grok-4-1-fast-non-reasoning', false],
  ['grok-4.20-beta-0309-non-reasoning', false],
  ['grok-4', false],
  ['grok-4-0709', false],
  ['grok-4-fast', false],
  ['grok-4-fast-reasoning', false],
  ['grok-3', false],
  ['grok-2-vision', false],
] as const)("xAI's %s takes a reasoning effort: %s", ([name, takes]) => {
  expect(takesEffort(name, 'xai')).toBe(takes)
  expect(takesEffort(name, 'openai')).toBe(true)
})

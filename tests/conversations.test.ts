import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Agency, Agent, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { postAndRead, startServer } from './support/client.ts'
import { conversations, type Item } from './support/conversations.ts'
import { startStrictUpstream } from './support/strict-upstream.ts'

const look = tool({ name: 'look', execute: () => 'seen' })

/** Each API, and the families of models that want something of their own. */
const MODELS: { [name: string]: { model: string; modelSettings?: object; tools?: [] } } = {
  responses: { model: 'gpt-5.4' },
  unstored: { model: 'gpt-5.4', modelSettings: { store: false } },
  no_reasoning: { model: 'gpt-4.1', modelSettings: { toolChoice: 'auto', parallelToolCalls: false }, tools: [] },
  chat: { model: 'groq/llama-3.3-70b', modelSettings: { toolChoice: 'look', parallelToolCalls: false }, tools: [] },
  openai_chat: { model: 'litellm/openai/gpt-4.1' },
  mistral: { model: 'mistral/mistral-large-latest' },
  deepseek: { model: 'deepseek/deepseek-chat' },
  moonshot: { model: 'moonshot/kimi-k2.6' },
  gemma: { model: 'hosted_vllm/google/gemma-3-27b-it' },
  claude: { model: 'anthropic/claude-sonnet-4-5' },
  late_claude: { model: 'anthropic/claude-opus-4-6', tools: [] },
  gemini: { model: 'gemini/gemini-2.5-flash' },
  gemini_3: { model: 'gemini/gemini-3-pro-preview', tools: [] },
}

const about = (items: readonly Item[]) =>
  items.map((item) => ({ agent: 'A', callerAgent: null, timestamp: 1, ...item }))
const KINDS: { [output: string]: string } = {
  local_shell_call_output: 'id',
  mcp_approval_response: 'approval_request_id',
}

/** Calls and outputs of a list that have no partner in it, by kind and call id. */
function loneHalves(items: readonly Item[]): string[] {
  const counts = new Map<string, number>()
  for (const item of items) {
    const type = String(item.type)
    if (!/^(function|custom_tool|computer|local_shell|shell|apply_patch)_call(_output)?$/.test(type)) continue
    const isOutput = type.endsWith('_output')
    const key = `${type.replace(/_output$/, '')} ${item[isOutput ? (KINDS[type] ?? 'call_id') : 'call_id']}`
    const count = (counts.get(key) ?? 0) + (isOutput ? -1 : 1)
    if (count < 0) return [key]
    counts.set(key, count)
  }
  return [...counts].filter(([, count]) => count !== 0).map(([key]) => key)
}

test('no provider rejects any conversation, and nothing is lost', {
  timeout: 120_000,
}, async () => {
  promise('C2', 'C3')
  const memory = new Map<string, string>()
  const { seen, refused } = await startStrictUpstream(memory)
  const agencies = Object.fromEntries(
    Object.entries(MODELS).map(([name, options]) => [
      name,
      new Agency(new Agent({ name: 'A', tools: [look], ...options })),
    ]),
  )
  const { url } = await startServer({ agencies, exposeErrors: true })
  const property = fc.asyncProperty(conversations, conversations, async (past, now) => {
    memory.clear()
    for (const [id, reasoning] of past.memory) memory.set(id, reasoning)
    for (const name of Object.keys(MODELS)) {
      seen.length = 0
      refused.length = 0
      const message = [...now.items.map((item) => ({ ...item })), { role: 'user', content: 'lastword' }]
      const body = { message, chat_history: about(past.items) }
      const answer = await postAndRead(`${url}/${name}/get_response`, body)
      expect(refused.join('; '), `${name}: ${JSON.stringify(seen[0]?.body)}`).toBe('')
      expect(answer, name).toMatchObject({ status: 200, body: { response: 'Understood.' } })
      const sent = JSON.stringify(seen[0]?.body)
      expect(sent).toContain('lastword')
      for (const text of past.texts) expect(sent, `${name}: ${text}`).toContain(text)
      for (const words of past.pairs) for (const word of words) expect(sent, `${name}: ${word}`).toContain(word)
      expect(sent, name).not.toMatch(
        /__fake_id__|previous_response_id|conversation_id|"response_id|thread_id|callerAgent/,
      )
      expect(loneHalves([...past.items, ...answer.body.new_messages]).length).toBeLessThanOrEqual(
        loneHalves(past.items).length,
      )
      const ids = (answer.body.new_messages as Item[]).flatMap(({ id, type }) =>
        id === undefined || type === 'local_shell_call_output' ? [] : [id],
      )
      expect(new Set(ids).size, name).toBe(ids.length)
    }
  })
  await fc.assert(property, { numRuns: 60 })
})

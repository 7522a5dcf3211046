/** The usage of a run in OpenAI's two forms. */
import type { Usage } from '../../wire/message.ts'
import type { ChatUsage } from '../../wire/openai-chat.ts'

export const toChatUsage = (usage: Usage): ChatUsage => ({
  prompt_tokens: usage.input_tokens,
  completion_tokens: usage.output_tokens,
  total_tokens: usage.total_tokens,
  prompt_tokens_details: { cached_tokens: usage.cached_tokens },
  completion_tokens_details: { reasoning_tokens: usage.reasoning_tokens ?? 0 },
})

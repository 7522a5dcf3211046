import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { OpenAIChatCompletionsModel, OpenAIResponsesModel } from '@openai/agents'
import OpenAI, { AzureOpenAI } from 'openai'
import { expect, test } from 'vitest'
import {
  Agency,
  Agent,
  type AgentOptions,
  chatCompletions,
  type Model,
  responses,
  type SdkModel,
} from '../src/index.ts'
import { collectSpans } from './support/traces.ts'

const fetch = async (): Promise<Response> => Response.json({ error: { message: 'no' } }, { status: 400 })
const client = () => new OpenAI({ apiKey: 'k', maxRetries: 0, fetch })
const azure = () =>
  new AzureOpenAI({ apiKey: 'k', endpoint: 'https://x.example', apiVersion: 'v', maxRetries: 0, fetch })
const answer = { output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] }] }

class Mine implements Model {
  readonly name = 'mine'
  readonly provider: string = 'my_cloud'
  async *streamTurn() {
    yield { events: [], bytes: 0 }
  }
  completeTurn = async () => answer
}
class Hidden implements Model {
  #cloud = 'hidden_cloud'
  readonly name = 'hidden'
  get provider() {
    return this.#cloud
  }
  async *streamTurn() {
    yield { events: [], bytes: 0 }
  }
  completeTurn = async () => answer
}
const sdk = (more: object, metadata?: object): SdkModel => ({
  getResponse: async () => ({ ...answer, usage: {}, providerData: { providerMetadata: metadata } }),
  getStreamedResponse: async function* () {},
  ...more,
})

test.each<[string, AgentOptions['model'], string]>([
  ['a Model', new Mine(), 'my_cloud'],
  ['a Model with a getter over a private field', new Hidden(), 'hidden_cloud'],
  ['a plain object', { ...new Mine(), name: 'plain', provider: 'p', streamTurn: Mine.prototype.streamTurn }, 'p'],
  ['a Model that names none', { ...new Mine(), provider: undefined, streamTurn: Mine.prototype.streamTurn }, 'custom'],
  ['the Agents SDK over Responses', new OpenAIResponsesModel(client(), 'gpt-4.1'), 'openai'],
  ['the Agents SDK over Chat Completions', new OpenAIChatCompletionsModel(client(), 'gpt-4.1'), 'openai'],
  ['the Agents SDK over Azure', new OpenAIResponsesModel(azure(), 'gpt-4.1'), 'azure.ai.openai'],
  ['an Agents SDK model that says it', sdk({ provider: 'google.generative-ai' }), 'gcp.gemini'],
  ['an Agents SDK model that says nothing', sdk({}), 'custom'],
  ['Anthropic of the AI SDK', createAnthropic({ apiKey: 'k', fetch })('claude-sonnet-4-5'), 'anthropic'],
  ['a gateway of the AI SDK', createOpenAICompatible({ name: 'own', baseURL: 'https://x.example', fetch })('m'), 'own'],
  ['a client of its own', responses('gpt-4.1', { client: client() }), 'openai'],
  ['a client of its own over Chat Completions', chatCompletions('gpt-4.1', { client: client() }), 'openai'],
  ['an Azure client', responses('gpt-4.1', { client: azure() }), 'azure.ai.openai'],
  ['the demo', 'demo', 'demo'],
])('telemetry names the provider of %s', async (_name, model, provider) => {
  const { telemetry, spans } = collectSpans()
  await new Agency(new Agent({ name: 'Solo', ...(model === undefined ? {} : { model }) }), {})
    .getResponse('Hi', { telemetry })
    .catch(() => {})
  const call = (await spans()).find(({ attributes }) => attributes['gen_ai.operation.name'] === 'chat')
  expect(call?.attributes['gen_ai.provider.name']).toBe(provider)
})

test('an AI SDK model behind an Agents SDK adapter is known by its answers', async () => {
  const { telemetry, spans } = collectSpans()
  const solo = new Agent({ name: 'Solo', model: sdk({}, { anthropic: { cache: 1 } }) })
  for (const message of ['Hi', 'Again']) await solo.getResponse(message, { telemetry })
  const calls = (await spans()).filter(({ attributes }) => attributes['gen_ai.operation.name'] === 'chat')
  expect(calls.at(-1)?.attributes['gen_ai.provider.name']).toBe('anthropic')
})

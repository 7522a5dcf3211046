/** Option names of the Python original and of the Agents SDK, and what to use here instead. */
import type { Moved } from '../base/options.ts'

/** Agent options of the Python original, its older versions and the Agents SDK -> what to use here. */
export const AGENT_MOVED: Moved = {
  temperature: 'modelSettings: { temperature }',
  topP: 'modelSettings: { topP }',
  maxTokens: 'modelSettings: { maxTokens }',
  maxCompletionTokens: 'modelSettings: { maxTokens }',
  maxPromptTokens: 'modelSettings: { truncation: "auto" }',
  reasoningEffort: 'modelSettings: { reasoning: { effort } }',
  truncationStrategy: 'modelSettings: { truncation }',
  parallelToolCalls: 'modelSettings: { parallelToolCalls }',
  toolChoice: 'modelSettings: { toolChoice }',
  responseValidator: 'outputGuardrails',
  responseFormat: 'outputType',
  returnInputGuardrailErrors: 'raiseInputGuardrailError, with the opposite value',
  throwInputGuardrailError: 'raiseInputGuardrailError',
  handoffDescription: 'description',
  handoffs: 'a flow of the agency: communicationFlows: [[a, b, Handoff]]',
  sendMessageToolClass: 'a class in communicationFlows: [[a, b, MyMessage]]',
  files: 'file parts in the message',
  fileIds: 'file parts in the message',
  toolResources: 'tools: [fileSearch({ vectorStoreIds }), codeInterpreter({ container: { type: "auto", fileIds } })]',
  fileSearch: 'tools: [fileSearch({ vectorStoreIds })]',
  mcpConfig: 'the constructor options of each of the mcpServers',
  examples: 'the instructions',
  id: 'loadThreads and saveThreads of the agency',
  refreshFromId: 'loadThreads and saveThreads of the agency',
  supportsOutboundCommunication: 'a flow of the agency: communicationFlows: [[a, b]]',
  supportsFrameworkToolWiring: 'a flow of the agency: communicationFlows: [[a, b]]',
}

/** Settings of a model of the Agents SDK and the AI SDK -> what to use here. Anything else a provider takes goes into `extraBody`. */
export const SETTINGS_MOVED: Moved = {
  reasoningEffort: 'reasoning: { effort }',
  maxOutputTokens: 'maxTokens',
  maxCompletionTokens: 'maxTokens',
  text: 'verbosity',
  responseInclude: 'include',
  headers: 'extraHeaders',
  body: 'extraBody',
  extraArgs: 'extraBody',
  extraQuery: 'a query in the address of the model',
  providerData: 'extraBody',
  frequencyPenalty: 'extraBody: { frequency_penalty }',
  presencePenalty: 'extraBody: { presence_penalty }',
  topLogprobs: 'extraBody: { top_logprobs }',
  seed: 'extraBody: { seed }',
  stop: 'extraBody: { stop }',
  topK: 'extraBody: { top_k }',
  promptCacheRetention: 'extraBody: { prompt_cache_retention }',
  serviceTier: 'extraBody: { service_tier }',
}

/** Agency options of the same -> what to use here. */
export const AGENCY_MOVED: Moved = {
  loadThreadsCallback: 'loadThreads',
  saveThreadsCallback: 'saveThreads',
  threadsCallbacks: 'loadThreads and saveThreads',
  agencyChart: 'communicationFlows, with the entry agents as the first argument',
  entryPoints: 'the first argument: new Agency([a, b], options)',
  sharedFiles: 'sharedFilesFolder',
  temperature: 'modelSettings: { temperature } of each agent',
  topP: 'modelSettings: { topP } of each agent',
  maxPromptTokens: 'modelSettings: { truncation: "auto" } of each agent',
  maxCompletionTokens: 'modelSettings: { maxTokens } of each agent',
  truncationStrategy: 'modelSettings: { truncation } of each agent',
  model: 'model of each agent',
  asyncMode: 'nothing, because recipients of send_message always run concurrently',
}

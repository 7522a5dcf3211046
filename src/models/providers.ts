/** The table of providers: addresses, keys, and how their APIs differ. */
import type { AiSdkKind } from './ai-sdk/providers.ts'
import { MISTRAL_QUIRKS, OPENAI_QUIRKS, TEMPLATE_QUIRKS } from './families.ts'
import type { ChatQuirks } from './openai/chat-messages.ts'

/** The API, address and keys of one provider. */
export interface ProviderSpec {
  /** Its API: Chat Completions, or the provider's own through an AI SDK package. */
  readonly kind: 'chat' | AiSdkKind
  /** Its address; undefined where only the operator knows it (`<NAME>_API_BASE`). */
  readonly baseURL?: string
  /** Environment variables for the server's key; the first one that is set counts. Empty: no key is needed. */
  readonly keys: readonly string[]
  /** A server on the operator's own machine: a key is sent if one is set, and requests may choose it only if the operator allows it. */
  readonly local?: true
  /** `client_config.api_key` is also its key, as in the original. `bare`: only without the prefix `litellm/`. */
  readonly takesApiKey?: 'always' | 'bare'
  /** The path of the API on a host: appended to an address that replaces `baseURL`, unless that ends in `/v1` already. */
  readonly path?: string
  readonly quirks?: ChatQuirks
}

const chat = (baseURL: string, key: string | readonly string[], quirks?: ChatQuirks): ProviderSpec => ({
  kind: 'chat',
  baseURL,
  keys: typeof key === 'string' ? [key] : key,
  ...(quirks === undefined ? {} : { quirks }),
})
const local = (baseURL: string | undefined, key: string): ProviderSpec => ({
  kind: 'chat',
  ...(baseURL === undefined ? {} : { baseURL }),
  keys: [key],
  local: true,
  quirks: TEMPLATE_QUIRKS,
})

/**
 * The providers by the prefix of a model's name: `<name>/<model>` and `litellm/<name>/<model>`.
 * Names and variables are LiteLLM's, so that settings made for the original hold. Addresses were looked up in LiteLLM 1.91.5
 * and the providers' own documentation in November 2026; each can be replaced with `<NAME>_API_BASE`.
 */
const ROWS: { readonly [name: string]: ProviderSpec } = {
  openai: {
    ...chat('https://api.openai.com/v1', 'OPENAI_API_KEY', { noNullContent: true }),
    takesApiKey: 'always',
  },
  azure: {
    kind: 'chat',
    keys: ['AZURE_API_KEY', 'AZURE_OPENAI_API_KEY'],
    path: '/openai/v1',
    takesApiKey: 'always',
    quirks: OPENAI_QUIRKS,
  },
  anthropic: {
    kind: 'anthropic',
    keys: ['ANTHROPIC_API_KEY'],
    baseURL: 'https://api.anthropic.com/v1',
    path: '/v1',
  },
  gemini: {
    kind: 'google',
    keys: ['GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY'],
    baseURL: 'https://generativelanguage.googleapis.com/v1beta',
  },
  openrouter: {
    ...chat('https://openrouter.ai/api/v1', 'OPENROUTER_API_KEY', { reasoning: 'reasoning_details' }),
    takesApiKey: 'bare',
  },
  aiml: chat('https://api.aimlapi.com/v1', 'AIML_API_KEY'),
  cerebras: chat('https://api.cerebras.ai/v1', 'CEREBRAS_API_KEY'),
  chutes: chat('https://llm.chutes.ai/v1', 'CHUTES_API_KEY'),
  codestral: chat('https://codestral.mistral.ai/v1', 'CODESTRAL_API_KEY', { noStreamOptions: true, ...MISTRAL_QUIRKS }),
  cohere: chat('https://api.cohere.ai/compatibility/v1', 'COHERE_API_KEY', { noStreamOptions: true }),
  dashscope: chat('https://dashscope.aliyuncs.com/compatible-mode/v1', 'DASHSCOPE_API_KEY'),
  deepinfra: chat('https://api.deepinfra.com/v1/openai', 'DEEPINFRA_API_KEY'),
  deepseek: chat('https://api.deepseek.com/v1', 'DEEPSEEK_API_KEY', {
    reasoning: 'reasoning_content',
    noJsonSchema: true,
    textOnly: true,
  }),
  featherless_ai: chat('https://api.featherless.ai/v1', ['FEATHERLESS_AI_API_KEY', 'FEATHERLESS_API_KEY']),
  fireworks_ai: chat('https://api.fireworks.ai/inference/v1', ['FIREWORKS_API_KEY', 'FIREWORKS_AI_API_KEY']),
  friendliai: chat('https://api.friendli.ai/serverless/v1', ['FRIENDLIAI_API_KEY', 'FRIENDLI_TOKEN']),
  github: chat('https://models.github.ai/inference', 'GITHUB_API_KEY'),
  groq: chat('https://api.groq.com/openai/v1', 'GROQ_API_KEY'),
  huggingface: chat('https://router.huggingface.co/v1', ['HUGGINGFACE_API_KEY', 'HF_TOKEN']),
  hyperbolic: chat('https://api.hyperbolic.xyz/v1', 'HYPERBOLIC_API_KEY'),
  inception: chat('https://api.inceptionlabs.ai/v1', 'INCEPTION_API_KEY'),
  lambda_ai: chat('https://api.lambda.ai/v1', 'LAMBDA_API_KEY'),
  meta_llama: chat('https://api.llama.com/compat/v1', 'LLAMA_API_KEY'),
  minimax: chat('https://api.minimax.io/v1', 'MINIMAX_API_KEY'),
  mistral: chat('https://api.mistral.ai/v1', 'MISTRAL_API_KEY', { noStreamOptions: true, ...MISTRAL_QUIRKS }),
  moonshot: chat('https://api.moonshot.ai/v1', 'MOONSHOT_API_KEY', { reasoning: 'reasoning_content' }),
  morph: chat('https://api.morphllm.com/v1', 'MORPH_API_KEY'),
  nebius: chat('https://api.tokenfactory.nebius.com/v1', 'NEBIUS_API_KEY'),
  novita: chat('https://api.novita.ai/v3/openai', 'NOVITA_API_KEY'),
  nscale: chat('https://inference.api.nscale.com/v1', 'NSCALE_API_KEY'),
  nvidia_nim: chat('https://integrate.api.nvidia.com/v1', 'NVIDIA_NIM_API_KEY'),
  perplexity: chat('https://api.perplexity.ai', ['PERPLEXITYAI_API_KEY', 'PERPLEXITY_API_KEY']),
  sambanova: chat('https://api.sambanova.ai/v1', 'SAMBANOVA_API_KEY'),
  scaleway: chat('https://api.scaleway.ai/v1', 'SCW_SECRET_KEY'),
  together_ai: chat('https://api.together.xyz/v1', [
    'TOGETHERAI_API_KEY',
    'TOGETHER_API_KEY',
    'TOGETHER_AI_API_KEY',
    'TOGETHER_AI_TOKEN',
  ]),
  v0: chat('https://api.v0.dev/v1', 'V0_API_KEY'),
  vercel_ai_gateway: chat('https://ai-gateway.vercel.sh/v1', 'VERCEL_AI_GATEWAY_API_KEY'),
  volcengine: chat('https://ark.cn-beijing.volces.com/api/v3', ['VOLCENGINE_API_KEY', 'ARK_API_KEY']),
  wandb: chat('https://api.inference.wandb.ai/v1', 'WANDB_API_KEY'),
  xai: chat('https://api.x.ai/v1', 'XAI_API_KEY'),
  zai: chat('https://api.z.ai/api/paas/v4', 'ZAI_API_KEY'),
  hosted_vllm: local(undefined, 'HOSTED_VLLM_API_KEY'),
  litellm_proxy: local(undefined, 'LITELLM_PROXY_API_KEY'),
  llamafile: local('http://127.0.0.1:8080/v1', 'LLAMAFILE_API_KEY'),
  lm_studio: local('http://127.0.0.1:1234/v1', 'LM_STUDIO_API_KEY'),
  ollama: { ...local('http://127.0.0.1:11434/v1', 'OLLAMA_API_KEY'), path: '/v1' },
}
/** Other names of the same providers. */
const ALIASES: { readonly [name: string]: string } = {
  google: 'gemini',
  cohere_chat: 'cohere',
  ollama_chat: 'ollama',
}

/** All supported providers, by name. */
export const PROVIDERS: ReadonlyMap<string, ProviderSpec> = new Map(Object.entries(ROWS))

/** A model name with its provider. */
export interface ProviderModel {
  /** The provider's name in the table, or an unknown name. */
  name: string
  /** The provider as written. */
  given: string
  /** The model's name without provider. */
  model: string
  /** True for the prefix `litellm/`. */
  viaLitellm: boolean
}

/** Reads `litellm/<provider>/<model>` and `<provider>/<model>`; undefined for a name without provider. */
export function readProviderModel(spec: string): ProviderModel | undefined {
  const viaLitellm = spec.startsWith('litellm/')
  const full = viaLitellm ? spec.slice('litellm/'.length) : spec
  const slash = full.indexOf('/')
  if (slash === -1) return viaLitellm ? { name: 'openai', given: 'openai', model: full, viaLitellm } : undefined
  const given = full.slice(0, slash)
  return { name: canonicalName(given), given, model: full.slice(slash + 1), viaLitellm }
}

/** A provider's name in the table. */
export const canonicalName = (name: string): string => (Object.hasOwn(ALIASES, name) ? (ALIASES[name] as string) : name)

/** The environment variable for another address of a provider. */
export const addressVariable = (provider: string) => `${provider.toUpperCase().replaceAll(/\W/g, '_')}_API_BASE`

/** The providers' keys in an environment. */
export const keysIn = (env: { readonly [name: string]: string | undefined }): string[] =>
  [...PROVIDERS.values()].flatMap(({ keys }) => keys.flatMap((name) => env[name] || []))

/** OpenTelemetry's names of providers: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/, `gen_ai.provider.name`. */

/** Names of LiteLLM and the AI SDK -> names of the convention, where they differ. */
const NAMES: { readonly [provider: string]: string } = {
  'amazon-bedrock': 'aws.bedrock',
  bedrock: 'aws.bedrock',
  azure: 'azure.ai.openai',
  google: 'gcp.gemini',
  gemini: 'gcp.gemini',
  'google.vertex': 'gcp.vertex_ai',
  vertex: 'gcp.vertex_ai',
  vertex_ai: 'gcp.vertex_ai',
  mistral: 'mistral_ai',
  xai: 'x_ai',
}

/** The convention's name of a provider (`google` -> `gcp.gemini`); unknown names stay unchanged. */
export const telemetryName = (provider: string): string => NAMES[provider] ?? provider

/** Of a language model of the AI SDK, whose `provider` has its API behind a dot: `google.generative-ai`, `google.vertex.chat`. */
export function telemetryNameOfSdk(provider: string): string {
  const [maker = '', product] = provider.split('.')
  return telemetryName(product === 'vertex' ? `${maker}.vertex` : maker)
}

/** Of a client of the `openai` package: `AzureOpenAI` is the one with an API version. */
export const telemetryNameOfClient = (client: unknown): string =>
  typeof client === 'object' && client !== null && 'apiVersion' in client ? telemetryName('azure') : 'openai'

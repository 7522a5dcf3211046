/** What the tests use of oidc-provider, which has no types of its own. */
declare module 'oidc-provider' {
  import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

  interface Token {
    aud: string
    accountId: string
    grantId: string
  }
  // biome-ignore lint/style/noDefaultExport: the package has one
  export default class Provider {
    constructor(issuer: string, configuration: Configuration)
    readonly Grant: {
      new (of: { accountId: string; clientId: string }): Grant
      find(id: string): Promise<Grant | undefined>
    }
    readonly AccessToken: { find(token: string): Promise<Token | undefined> }
    readonly RefreshToken: { revokeByGrantId(id: string): Promise<void> }
    callback(): RequestListener
    interactionDetails(
      request: IncomingMessage,
      response: ServerResponse,
    ): Promise<{ params: { [name: string]: unknown }; grantId?: string }>
    interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
  }
  interface Grant {
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    save(): Promise<string>
  }
  interface Configuration {
    findAccount(context: unknown, sub: string): object
    interactions: { url(context: unknown, interaction: { uid: string }): string }
    features: {
      resourceIndicators: {
        getResourceServerInfo(context: unknown, resource: string): object
        [option: string]: unknown
      }
      [feature: string]: object
    }
    [option: string]: unknown
  }
}

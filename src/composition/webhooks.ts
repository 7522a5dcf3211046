/** Reads the option `runs.webhooks`. */

import { optionNames, refuseUnknown } from '../base/options.ts'
import { invalidOption } from '../base/start-errors.ts'
import type { WebhookEndpoint } from '../runs/webhooks/sender.ts'
import { isWebhookSecret, isWebhookUrl, WEBHOOK_EVENTS, type WebhookEvent } from '../wire/webhooks.ts'

/** Endpoints that get webhooks when a run ends or waits for a person. */
export interface WebhooksOptions {
  /** They receive every stored run. */
  endpoints?: readonly WebhookEndpointOptions[] | undefined
  /** Whether requests may name a webhook of their own. @default true */
  requests?: boolean | undefined
  /** Origins that the webhook of a request may name although they are not on the public internet. @default none */
  trustedOrigins?: readonly string[] | undefined
}

export interface WebhookEndpointOptions {
  /** An http or https address, wherever it is. */
  url: string
  /** `whsec_` and the Base64 of 24 to 64 bytes: signs each webhook. While one secret replaces another, both. */
  secret: string | readonly string[]
  /** The events that it gets. @default all */
  events?: readonly WebhookEvent[] | undefined
}

export interface WebhookSettings {
  endpoints: readonly WebhookEndpoint[]
  requests: boolean
  trustedOrigins: readonly string[]
}

const OPTIONS = optionNames<WebhooksOptions>({ endpoints: true, requests: true, trustedOrigins: true })
const ENDPOINT = optionNames<WebhookEndpointOptions>({ url: true, secret: true, events: true })

/** @throws INVALID_OPTION; no text shows a secret */
export function readWebhooks(given: WebhooksOptions = {}): WebhookSettings {
  refuseUnknown('runs.webhooks', given, OPTIONS)
  const { endpoints = [], requests = true, trustedOrigins = [] } = given
  for (const origin of trustedOrigins)
    if (URL.parse(origin) === null)
      throw invalidOption(
        `runs.webhooks.trustedOrigins has "${origin}", which is no address such as "https://hooks.example.com".`,
      )
  return { endpoints: endpoints.map(readEndpoint), requests, trustedOrigins }
}

function readEndpoint(endpoint: WebhookEndpointOptions): WebhookEndpoint {
  refuseUnknown('runs.webhooks.endpoints', endpoint, ENDPOINT)
  const { url, secret, events } = endpoint
  if (typeof url !== 'string' || !isWebhookUrl(url))
    throw invalidOption('Each of runs.webhooks.endpoints needs a url such as "https://hooks.example.com/runs".')
  const { origin } = new URL(url)
  const secrets = [secret ?? []].flat()
  if (secrets.length === 0 || !secrets.every((text) => typeof text === 'string' && isWebhookSecret(text)))
    throw invalidOption(
      `The webhook of ${origin} needs a secret: whsec_ and the Base64 of 24 to 64 bytes. Make one: echo "whsec_$(openssl rand -base64 32)"`,
    )
  const unknown = events?.find((event) => !WEBHOOK_EVENTS.includes(event))
  if (unknown !== undefined)
    throw invalidOption(`The webhook of ${origin} has no event "${unknown}". Events: ${WEBHOOK_EVENTS.join(', ')}.`)
  return { url, secrets, events }
}

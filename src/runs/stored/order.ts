/** What is stored of a request for a run: enough to start it in any process. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { JsonObject } from '../../wire/json.ts'
import type { AgencyRequest } from '../../wire/requests.ts'
import { secretsOf } from '../../wire/requests.ts'
import type { TraceContext } from '../span.ts'
import type { StartStoredRun } from './service.ts'

/** The stored part of a request. `client_config` is here only when it has no secrets. */
export interface StoredOrder {
  request: AgencyRequest
  maxTurns: number | null
  maxCost: number | null
  traceId: string
  traceContext: TraceContext | null
  /** The request had a `client_config` with secrets, which is gone once the run has ended. */
  hadSecrets: boolean
  /** Of the log of the request. */
  logId: string | null
}

/** A request, taken apart: what is stored in the clear, and the secrets, which are not. */
export interface SplitOrder {
  plan: JsonObject
  /** The `client_config` when it has secrets. */
  secrets: AgencyRequest['client_config'] | undefined
}

export function splitOrder(
  { request, maxTurns, maxCost, traceContext, logId }: StartStoredRun,
  { server, traceId }: { server: { maxTurns: number | null; maxCost: number | null }; traceId: string },
): SplitOrder {
  const secret = secretsOf(request.client_config).length > 0
  const order: StoredOrder = {
    request: secret ? { ...request, client_config: undefined } : request,
    maxTurns: maxTurns ?? server.maxTurns,
    maxCost: maxCost ?? server.maxCost,
    traceId,
    traceContext: traceContext ?? null,
    hadSecrets: secret,
    logId: logId ?? null,
  }
  return { plan: order as unknown as JsonObject, secrets: secret ? request.client_config : undefined }
}

/** Encrypts the secrets of requests in the store: AES-256-GCM, with the id of the run as additional data. */
export interface Seal {
  close(runId: string, secrets: unknown): string
  /** @throws when the text was sealed with another key, or for another run */
  open(runId: string, sealed: string): unknown
}

const IV_BYTES = 12
const TAG_BYTES = 16

/** @param key 32 bytes */
export function createSeal(key: Buffer): Seal {
  return {
    close(runId, secrets) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(runId))
      const text = Buffer.concat([cipher.update(JSON.stringify(secrets), 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64')
    },
    open(runId, sealed) {
      const bytes = Buffer.from(sealed, 'base64')
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES))
      decipher.setAAD(Buffer.from(runId)).setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
      const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()])
      return JSON.parse(text.toString('utf8'))
    },
  }
}

/** The key of `AGENCY_STORE_KEY`: 32 bytes as Base64 or as hexadecimal digits. Undefined for any other text. */
export function readSealKey(text: string): Buffer | undefined {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64')
  return key.length === 32 ? key : undefined
}

/** Makes what runs share: the one place for servers and for agencies that run in process. */
import { createFolderDesk } from '../agency/folder-desk.ts'
import { errorText } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { ServerLog } from '../base/log.ts'
import { createFileDesk, type FileDesk, type FileDeskOptions } from '../files/attachments.ts'
import { createModels } from '../models/models.ts'
import { createPriceList, type Prices, warnOnce } from '../models/pricing/prices.ts'
import type { RunEvent } from '../runs/events.ts'
import { Runner } from '../runs/runner.ts'
import { joinTelemetry, type Telemetry } from '../runs/span.ts'
import type { Runs } from '../runs/start.ts'
import { LoginDesk } from '../tools/mcp/oauth/desk.ts'
import { createMemoryVault, type Vault } from '../tools/mcp/oauth/vault.ts'
import { describeError } from './log.ts'

export interface RunsOptions {
  limits: Limits
  /** Masks the secrets of this process. */
  redact: (text: string) => string
  log: ServerLog
  /** Writes the progress of storing folders. @default `log.info` */
  note?: (text: string) => void
  /** Write a line for each failed run and file. False in process, where the caller gets the error itself. */
  logFailures: boolean
  exposeErrors: boolean
  onEvent?: ((event: RunEvent, run: { runId: string; agency: string | undefined }) => void) | undefined
  trustedModelOrigins?: readonly string[] | undefined
  gatewayHostedTools?: boolean | undefined
}

/** Where the files of requests may come from. */
export type FileSources = Pick<FileDeskOptions, 'allowedLocalFileDirs'> & {
  trustedFileOrigins?: readonly string[] | undefined
}

/** What a server sets once, and a run in process for itself. */
export interface RunsSettings extends FileSources {
  /** Model name -> what its tokens cost, before the shipped price table. */
  prices?: Prices | undefined
  telemetry?: readonly Telemetry[] | undefined
  /** The logins of owners at MCP servers. Default: those of all runs together, kept in memory */
  logins?: LoginDesk | undefined
  /** US dollars that one run of a server may cost. Default: no bound */
  maxCost?: number | null | undefined
}

/**
 * The runner, the models and the limits, and `with` for the rest: a server calls it once, an agency in process for each run.
 * @throws from `with` INVALID_OPTION for wrong prices, telemetry or directories
 */
export function createRuns(options: RunsOptions) {
  const { limits, log, note = log.info, redact, logFailures, exposeErrors } = options
  const warn = (message: string) => log.warn(message)
  const runner = new Runner(options)
  const models = createModels({
    env: { ...process.env },
    trustedModelOrigins: options.trustedModelOrigins ?? [],
    gatewayHostedTools: options.gatewayHostedTools,
    limits,
    log: warn,
  })
  const folders = createFolderDesk({
    models: () => models.of(undefined),
    explain: exposeErrors ? (error) => redact(errorText(error)) : nameOf,
    note,
    warn,
  })
  const ownLogins = createLogins(limits, createMemoryVault())
  const warnOfPrice = warnOnce(warn)
  const logOnce = warnOnce((text) => log.error(text))
  const createFiles = (sources: FileSources): FileDesk =>
    createFileDesk({
      limits,
      budget: runner.budget,
      allowedLocalFileDirs: sources.allowedLocalFileDirs,
      trustedFileOrigins: sources.trustedFileOrigins ?? [],
      explain: exposeErrors ? (error) => `(${errorText(error)})` : nameOf,
      log: logFailures ? (message, error, mask) => log.error(message, error, mask) : () => {},
      warn,
    })
  return {
    runner,
    models,
    folders,
    limits,
    logins: ownLogins,
    with({ prices, telemetry = [], maxCost = null, logins = ownLogins, ...sources }: RunsSettings): Runs {
      let files: FileDesk | undefined
      return {
        runner,
        models,
        folders,
        limits,
        logins,
        maxCost,
        ...createPriceList(prices, warnOfPrice),
        telemetry: joinTelemetry(telemetry, (error) =>
          logOnce(redact(`Telemetry failed; runs go on. (${describeError(error)})`)),
        ),
        get files() {
          files ??= createFiles(sources) // most runs in process have none
          return files
        },
      }
    },
  }
}

export const createLogins = ({ consentMs }: Pick<Limits, 'consentMs'>, vault: Vault) =>
  new LoginDesk({ vault, now: Date.now, consentMs })

/** What a caller may know about an error of the file store. */
const nameOf = (error: unknown): string => `(cause: ${error instanceof Error ? error.constructor.name : 'Error'})`

import type { FastifyInstance } from 'fastify'
import { AgencyGraph } from './agency/agency.ts'
import { describeAgency } from './agency/metadata.ts'
import { buildApp, type RunningServer, type ServeOptions, serve } from './serve.ts'
import type { JsonObject } from './wire/json.ts'

/** Agents and who may talk to whom: `new Agency(entry, { communicationFlows: [[a, b]] })`. */
export class Agency extends AgencyGraph {
  /** Serves this agency alone, at `/<name>`; takes every option of `serve()` but `agencies`. */
  serve(options: Omit<ServeOptions, 'agencies'> = {}): Promise<RunningServer> {
    return serve({ ...options, agencies: { [this.name ?? 'agency']: this } })
  }
  /** As `serve`, without listening. */
  buildApp(options: Omit<ServeOptions, 'agencies'> = {}): Promise<FastifyInstance> {
    return buildApp({ ...options, agencies: { [this.name ?? 'agency']: this } })
  }
  /** What `/get_metadata` shows: nodes, edges and totals. */
  getMetadata(): JsonObject {
    return describeAgency(this)
  }
}

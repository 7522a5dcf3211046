import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { ServerLog } from './base/log.ts'
import type { BuildOptions } from './composition/options.ts'
import { createServices } from './composition/services.ts'
import { registerShell } from './server/plugin.ts'
import { ID_CHARS } from './wire/runs.ts'

/** Options of the plugin: those of `serve()` that do not concern a server of its own. */
export type AgencySwarmPluginOptions = BuildOptions & { prefix?: string }

/**
 * The same routes inside your Fastify app: `await app.register(agencySwarm, { prefix: '/ai', agencies })`.
 * Hooks, body parsing and error answers stay inside the plugin; running work is drained when your app closes. With
 * `logger: true` it writes to your app's log. Your app's router decides how long ids in paths may be: set its
 * `routerOptions: { maxParamLength: 256 }`. Below that there is a warning.
 * @throws NOTHING_TO_SERVE, INVALID_OPTION, DUPLICATE_NAME, MISSING_API_KEY, FACTORY_FAILED
 */
export const agencySwarm: FastifyPluginAsync<AgencySwarmPluginOptions> = async (scope, { prefix: _, ...options }) => {
  const { shell, drain, close } = await createServices(
    options.logger === true ? { ...options, logger: scope.log } : options,
  )
  warnOfShortParams(scope.initialConfig, shell.services.log)
  await registerShell(scope, shell)
  // The hook answers preflights; in a guest they only reach it through a route.
  scope.options('/*', async (_request, reply) => reply.code(405).send())
  scope.addHook('preClose', drain)
  scope.addHook('onClose', close)
}

/** The router is the app's: it answers 404 to a longer part of a path before a route of the plugin is reached. */
function warnOfShortParams({ maxParamLength, routerOptions }: FastifyInstance['initialConfig'], log: ServerLog): void {
  const chars = routerOptions?.maxParamLength ?? maxParamLength ?? ID_CHARS
  if (chars < ID_CHARS)
    log.warn(
      `The Fastify app answers 404 to ids of more than ${chars} characters, and thread ids may have ${ID_CHARS}. Create it with Fastify({ routerOptions: { maxParamLength: ${ID_CHARS} } }).`,
    )
}

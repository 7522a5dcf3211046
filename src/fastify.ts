import type { FastifyPluginAsync } from 'fastify'
import type { BuildOptions } from './composition/options.ts'
import { createServices } from './composition/services.ts'
import { registerShell } from './server/plugin.ts'

/** Options of the plugin: those of `serve()` that do not concern a server of its own. */
export type AgencySwarmPluginOptions = BuildOptions & { prefix?: string }

/**
 * The same routes inside your Fastify app: `await app.register(agencySwarm, { prefix: '/ai', agencies })`.
 * Hooks, body parsing and error answers stay inside the plugin; running work is drained when your app closes. With
 * `logger: true` it writes to your app's log.
 * @throws NOTHING_TO_SERVE, INVALID_OPTION, DUPLICATE_NAME, MISSING_API_KEY, FACTORY_FAILED
 */
export const agencySwarm: FastifyPluginAsync<AgencySwarmPluginOptions> = async (scope, { prefix: _, ...options }) => {
  const { shell, drain, close } = await createServices(
    options.logger === true ? { ...options, logger: scope.log } : options,
  )
  await registerShell(scope, shell)
  // The hook answers preflights; in a guest they only reach it through a route.
  scope.options('/*', async (_request, reply) => reply.code(405).send())
  scope.addHook('preClose', drain)
  scope.addHook('onClose', close)
}

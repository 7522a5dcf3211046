/** Folders that this package keeps in the working folder of a project. */

/** Reports of `agency-swarm-js eval`. */
export const EVALS_FOLDER = '.agency_swarm/evals'
/** Runs and threads of `agency-swarm-js dev`. */
export const DEV_FOLDER = '.agency_swarm/dev'

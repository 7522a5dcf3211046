// The servers that are measured. {node} = this Node, {here} = this folder. onRequest: started only when --servers names it.
const passthrough = (name, mode) => ({
  name,
  command: ['{node}', '{here}/servers/passthrough.mjs'],
  env: { MODE: mode },
  adapter: mode === 'pipe' ? 'pipe' : 'agency',
  raw: true,
})
const ours = { command: ['{node}', '{here}/servers/agency_swarm_js.mjs'], adapter: 'agency' }
const watched = (name, by) => ({ ...ours, name: `agency-swarm-js-${name}`, env: { WATCHED_BY: by }, onRequest: true })

export const servers = [
  passthrough('raw-pipe', 'pipe'),
  passthrough('raw-envelope', 'envelope'),
  passthrough('raw-fast', 'fast'),
  { ...ours, name: 'agency-swarm-js' },
  watched('metrics', 'metrics'),
  watched('traced', 'traces'),
  watched('watched', 'metrics,traces'),
  {
    name: 'py-agency-swarm',
    command: [process.env.BENCH_PY_ORIG ?? 'python3', '{here}/servers/python_agency.py'],
    env: { OPENAI_AGENTS_DISABLE_TRACING: '1' },
    adapter: 'agency',
  },
].map((server) => ({ prefix: '/bench', env: {}, ...server }))

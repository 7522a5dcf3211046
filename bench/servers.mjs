// The servers that are measured. {node} = this Node, {here} = this folder.
const passthrough = (name, mode) => ({
  name,
  command: ['{node}', '{here}/servers/passthrough.mjs'],
  env: { MODE: mode },
  adapter: mode === 'pipe' ? 'pipe' : 'agency',
  raw: true,
})

export const servers = [
  passthrough('raw-pipe', 'pipe'),
  passthrough('raw-envelope', 'envelope'),
  passthrough('raw-fast', 'fast'),
  { name: 'agency-swarm-js', command: ['{node}', '{here}/servers/agency_swarm_js.mjs'], adapter: 'agency' },
  {
    name: 'py-agency-swarm',
    command: [process.env.BENCH_PY_ORIG ?? 'python3', '{here}/servers/python_agency.py'],
    env: { OPENAI_AGENTS_DISABLE_TRACING: '1' },
    adapter: 'agency',
  },
].map((server) => ({ prefix: '/bench', env: {}, ...server }))

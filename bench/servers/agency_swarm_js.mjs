// The built package with one agent and one tool: the same agency as in python_agency.py.
import { Agency, Agent, serve, sqlite, tool } from '../../dist/index.js'

const echoTool = tool({
  name: 'echo_tool',
  description: 'Echo the text back.',
  parameters: {
    type: 'object',
    properties: { text: { type: 'string' } },
    required: ['text'],
    additionalProperties: false,
  },
  execute: ({ text }) => `echo: ${text}`,
})
const createAgency = ({ loadThreads, saveThreads }) =>
  new Agency(
    new Agent({
      name: 'Assistant',
      instructions: 'You are a helpful assistant.',
      model: 'gpt-5-mini',
      tools: [echoTool],
    }),
    { name: 'bench', loadThreads, saveThreads },
  )
const { PORT, WATCHED_BY, STORE, WORKERS = '1' } = process.env
const stored = STORE === undefined ? {} : { runs: { store: sqlite(STORE) } }
const watched = WATCHED_BY === undefined ? {} : (await import('./watch.mjs')).watchedBy(WATCHED_BY)
await serve({
  agencies: { bench: createAgency },
  tools: [echoTool],
  host: '127.0.0.1',
  port: Number(PORT),
  workers: Number(WORKERS),
  ...watched,
  ...stored,
})

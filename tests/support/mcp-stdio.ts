/** An agency file for `agency-swarm-js mcp`: it writes to stdout, as users' modules do. */
import { Agency, Agent } from '../../src/index.ts'
import { lookUp } from './order-tool.ts'

console.log('loading')
process.stdout.write('half a line')

export const agency = new Agency(
  new Agent({ name: 'Support', model: process.env.STDIO_MODEL ?? 'demo', tools: [lookUp] }),
  {
    name: 'desk',
  },
)
export const tools = [lookUp]

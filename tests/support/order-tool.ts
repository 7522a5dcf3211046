import { z } from 'zod'
import { tool } from '../../src/index.ts'

export const lookUp = tool({
  name: 'look_up',
  description: 'Looks an order up.',
  parameters: z.object({ order: z.number().int() }),
  returns: z.object({ state: z.string() }),
  safeToRetry: true,
  execute: async ({ order }, { emit }) => {
    await emit({ name: 'search', value: { shelf: order } })
    console.log('looking up')
    if (order === 13) throw new Error('the key sk-server-key was refused')
    return { state: `order ${order} is on its way` }
  },
})

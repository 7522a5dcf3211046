import assert from 'node:assert/strict'
import { post } from '../run.ts'
import { agency, ticket } from './agency.ts'

export async function steps(url: string): Promise<void> {
  const { response } = await post(`${url}/tickets/get_response`, { message: 'My shipping for order 1234 is late' })
  const filed = ticket.parse(typeof response === 'string' ? JSON.parse(response) : response)
  assert.deepEqual([filed.topic, filed.order_number], ['shipping', 1234])

  const { finalOutput } = await agency.getResponse('A question about billing')
  assert.equal(ticket.parse(finalOutput).topic, 'billing', 'in process the answer is the object itself')
}

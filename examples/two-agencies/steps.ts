import assert from 'node:assert/strict'
import { get, post } from '../run.ts'

export async function steps(url: string): Promise<void> {
  const booked = await post(`${url}/guests/get_response`, { message: 'Book room 12 for 2 nights' })
  assert.match(booked.response, /Room 12 is booked for 2 nights/)
  assert.equal(booked.usage.request_count, 2)

  const seen = await post(`${url}/staff/get_response`, { message: 'List the bookings' })
  assert.match(seen.response, /room 12, 2 nights/, 'the other agency sees what the tool has done')

  const unknown = await post(`${url}/staff/get_response`, { message: 'Hello', recipient_agent: 'Concierge' })
  assert.match(JSON.stringify(unknown.detail), /Housekeeper/, 'an agency knows its own agents only')

  assert.deepEqual(await post(`${url}/tool/QuotePrice`, { nights: 3, breakfast: true }), { response: 306 })
  const wrong = await post(`${url}/tool/QuotePrice`, { nights: 0 })
  assert.deepEqual(wrong.detail[0].loc, ['body', 'nights'])

  const { paths } = await get(`${url}/openapi.json`)
  for (const path of ['/guests/get_response', '/staff/get_response_stream', '/tool/QuotePrice']) assert.ok(paths[path])
}

import { Agency, Agent, BaseTool, tool } from 'agency-swarm-js'
import { z } from 'zod'

const model = process.env.AGENCY_MODEL || 'demo'
const PRICE_PER_NIGHT = 90
const bookings = new Map<number, number>()

const bookRoom = tool({
  name: 'book_room',
  description: 'Book a room for some nights.',
  parameters: z.object({ room: z.number().int().min(1).max(40), nights: z.number().int().min(1) }),
  execute: ({ room, nights }) => {
    if (bookings.has(room)) return `Room ${room} is taken already`
    bookings.set(room, nights)
    return `Room ${room} is booked for ${nights} nights`
  },
})

const listBookings = tool({
  name: 'list_bookings',
  description: 'List all bookings: rooms and nights.',
  execute: () => {
    const lines = [...bookings].map(([room, nights]) => `room ${room}, ${nights} nights`)
    return lines.length === 0 ? 'There are no bookings' : lines.join('; ')
  },
})

/** Served on its own at /tool/QuotePrice; an agent may have it too. */
export class QuotePrice extends BaseTool.define({
  nights: z.number().int().min(1).describe('Number of nights'),
  breakfast: z.boolean().default(false),
}) {
  static override description = 'Quotes the price of a stay in euros.'
  run() {
    return this.nights * (PRICE_PER_NIGHT + (this.breakfast ? 12 : 0))
  }
}

const concierge = new Agent({
  name: 'Concierge',
  description: 'Books rooms and knows prices',
  instructions: 'You are the Concierge of a hotel. Book rooms for guests and quote prices with your tools.',
  model,
  tools: [bookRoom, QuotePrice],
  conversationStarters: ['Book room 12 for 2 nights'],
})
const housekeeper = new Agent({
  name: 'Housekeeper',
  description: 'Knows which rooms are in use',
  instructions: 'You are the Housekeeper of a hotel. Tell the staff which rooms are booked.',
  model,
  tools: [listBookings],
  conversationStarters: ['List the bookings'],
})

export const guests = new Agency(concierge, { name: 'guests', sharedInstructions: 'Be polite and brief.' })
export const staff = new Agency(housekeeper, { name: 'staff' })

import {
  Agency,
  Agent,
  Handoff,
  type InputGuardrail,
  type OutputGuardrail,
  type SystemReminder,
  tool,
} from 'agency-swarm-js'
import { z } from 'zod'

const model = process.env.AGENCY_MODEL || 'demo'

/** Said instead of an answer: no model sees the number. */
const noCardNumbers: InputGuardrail = (input) => ({
  tripwire: /\b(\d[ -]?){13,16}\b/.test([input].flat().join('\n')),
  guidance: 'Please do not send card numbers here. The invoice number is enough.',
})

/** Said to the agent, which then tries again. */
const offersHelp: OutputGuardrail = (answer) => ({
  tripwire: !/anything else/i.test(String(answer)),
  guidance: 'Close with the question: Anything else I can do?',
})

const knowsPlan: SystemReminder = (context) => `The customer's plan: ${context.get('plan', 'free')}.`

const findInvoice = tool({
  name: 'find_invoice',
  description: 'Find an invoice by its number.',
  parameters: z.object({ invoice_number: z.number().int() }),
  execute: ({ invoice_number }, context) =>
    `Invoice ${invoice_number}: 120 euros, ${context.get('plan') === 'pro' ? 'paid' : 'open'}`,
})

const checkStatus = tool({
  name: 'check_status',
  description: 'Check the status of the service right now.',
  execute: () => 'All systems work',
})

const desk = new Agent({
  name: 'Desk',
  description: 'Greets customers and hands them on',
  instructions:
    'You are the Desk. Hand questions about invoices to Billing, and questions about the service to the Technician.',
  model,
  inputGuardrails: [noCardNumbers],
  systemReminders: [knowsPlan],
  conversationStarters: ['I want to talk to Billing about invoice 77', 'Connect me with the Technician'],
})
const billing = new Agent({
  name: 'Billing',
  description: 'Looks after invoices',
  instructions: 'You are Billing. Answer questions about invoices.',
  model,
  tools: [findInvoice],
  inputGuardrails: [noCardNumbers],
  outputGuardrails: [offersHelp],
  handoffReminder: 'The Desk handed this customer to you. Answer the question right away.',
})
const technician = new Agent({
  name: 'Technician',
  description: 'Knows the status of the service',
  instructions: 'You are the Technician. Answer questions about the status of the service.',
  model,
  tools: [checkStatus],
})

export const agency = new Agency(desk, {
  name: 'support',
  communicationFlows: [
    [desk, billing, Handoff],
    [desk, technician, Handoff],
    [technician, billing, Handoff],
  ],
  userContext: { plan: 'free' },
})

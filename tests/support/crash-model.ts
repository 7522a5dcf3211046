/** What the scripted model says to the agents of crash-server.ts. */
import type { Turn } from './upstream.ts'

/** The job is in each message: `job-17`. Every answer says something else, so that no half text can pass for another. */
export function createCrashScript(options: { deltas: number; delayMs: number }): (body: object, index: number) => Turn {
  const speak = (job: string, agent: string, serial: number): Turn => {
    const parts = Array.from({ length: options.deltas }, (_, index) => `${agent}/${job}/${serial}.${index} `)
    return { text: parts.join(''), deltas: parts, delayMs: options.delayMs }
  }
  return (body, serial) => {
    const { input } = body as { input: { role?: string }[] }
    // What came before the last message is of earlier runs of the thread.
    const text = JSON.stringify(input.slice(input.findLastIndex(({ role }) => role === 'user')))
    const [job = ''] = /job-\d+/.exec(text) ?? []
    const [, agent = ''] = /You are (\w+)\./.exec(JSON.stringify(body)) ?? []
    const outputs = text.match(/"type":"function_call_output"/g)?.length ?? 0
    const turns: { [agent: string]: { [outputs: number]: Turn } } = {
      CEO: {
        0: { calls: [ask(job, 'Research'), ask(job, 'Billing'), call(job, 'note', 'c1')] },
        3: { calls: [call(job, 'note', 'c2'), call(job, 'look', 'c3')] },
      },
      Research: {
        0: { calls: [call(job, 'look', 'r1'), call(job, 'note', 'r2')] },
        2: { calls: [call(job, 'note', 'r3')] },
      },
      Billing: { 0: { calls: [call(job, 'note', 'b1')] } },
    }
    return turns[agent]?.[outputs] ?? speak(job, agent, serial)
  }
}

const call = (job: string, name: string, id: string) => ({ name, id: `${job}:${id}`, arguments: {} })
const ask = (job: string, recipient_agent: string) => ({
  name: 'send_message',
  id: `${job}:${recipient_agent}`,
  arguments: { recipient_agent, message: `${job}, please`, additional_instructions: '' },
})

/** The calls of one job that have an effect, and whether they may be repeated. */
export const CALLS: readonly { id: string; safe: boolean }[] = [
  ...['c1', 'c2', 'r2', 'r3', 'b1'].map((id) => ({ id, safe: false })),
  ...['c3', 'r1'].map((id) => ({ id, safe: true })),
]

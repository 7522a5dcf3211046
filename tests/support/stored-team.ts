/** A server with stored runs of three agents, each with a script of its own. */
import { expect } from 'vitest'
import { Agency, Agent, memory, type ServeOptions, tool } from '../../src/index.ts'
import { startServer, useUpstream } from './client.ts'
import { followRun, RunFold, type RunFrame } from './run-reader.ts'
import type { Turn } from './upstream.ts'

type Json = { [key: string]: unknown }

/** What an agent says after so many outputs of calls. */
export type TeamScript = (asked: { agent: string; outputs: number; text: string }) => Turn

export const use = (name: string, id: string) => ({ name, id, arguments: {} })
export const ask = (recipient_agent: string) => ({
  name: 'send_message',
  id: `ask-${recipient_agent}`,
  arguments: { recipient_agent, message: 'Please.', additional_instructions: '' },
})

/** A CEO above Research and Billing, Research above a Clerk. */
export async function startTeam(script: TeamScript, options: Partial<ServeOptions> = {}) {
  const upstream = await useUpstream((body) => {
    const text = JSON.stringify(body)
    const agent = /You are (\w+)\./.exec(text)?.[1] ?? ''
    return script({ agent, outputs: text.match(/"type":"function_call_output"/g)?.length ?? 0, text })
  })
  const began: string[] = []
  const aborted: string[] = []
  const gate = Promise.withResolvers<void>()
  /** Waits for its signal, which it obeys or not. */
  const wait = (name: string, obeys: boolean) =>
    tool({
      name,
      execute: (_input, { signal }) =>
        new Promise<string>((resolve) => {
          began.push(name)
          signal?.addEventListener('abort', () => {
            aborted.push(name)
            if (obeys) resolve('stopped')
          })
        }),
    })
  const tools = [
    wait('obedient', true),
    wait('stubborn', false),
    tool({
      name: 'gate',
      execute: () => {
        began.push('gate')
        return gate.promise.then(() => 'open')
      },
    }),
    tool({ name: 'note', execute: () => void began.push('note') }),
    tool({ name: 'pay', needsApproval: true, execute: () => void began.push('pay') }),
  ]
  const createAgent = (name: string) => new Agent({ name, instructions: `You are ${name}.`, model: 'gpt-4.1', tools })
  const [ceo, research, billing, clerk] = ['CEO', 'Research', 'Billing', 'Clerk'].map(createAgent) as [
    Agent,
    ...Agent[],
  ]
  const agency = new Agency(ceo, {
    communicationFlows: [
      [ceo, research as Agent],
      [ceo, billing as Agent],
      [research as Agent, clerk as Agent],
    ],
  })
  const server = await startServer({
    agencies: { team: agency },
    runs: { store: memory() },
    trustedModelOrigins: [upstream.origin],
    ...options,
  })
  const base = `${server.url}/team/runs`
  const handle = (runId: string) => {
    const url = `${base}/${runId}`
    return {
      runId,
      url,
      state: async () => (await call(url)).body,
      ended: async () => (await call(`${url}?wait=15`)).body,
      cancel: (body: Json = {}) => call(`${url}/cancel`, body),
      follow: (
        more: { until?: (frame: RunFrame) => boolean; cut?: (frame: RunFrame) => boolean; fold?: RunFold } = {},
      ) => followRun({ url: () => url, fold: new RunFold(), ...more }),
    }
  }
  const post = async (body: Json = {}) => {
    const answer = await call(base, { message: 'Please.', ...body })
    expect(answer.status).toBe(202)
    return handle(answer.body.run_id)
  }
  return { upstream, server, base, post, handle, began, aborted, open: () => gate.resolve() }
}

// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
export async function call(url: string, body?: Json): Promise<{ status: number; body: any }> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const answer = await fetch(url, body === undefined ? {} : init)
  return { status: answer.status, body: await answer.json() }
}

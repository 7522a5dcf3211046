// Adapters for each kind of server: request builders, and checks that a stream is complete.
const post = (path, body) => ({
  method: 'POST',
  path,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const get = (path) => ({ method: 'GET', path, headers: {} })
const DELTA = /"type": ?"response\.output_text\.delta"/g

const agencyRoutes = {
  ready: (prefix) => `${prefix}/get_metadata`,
  stream: (prefix, message) => post(`${prefix}/get_response_stream`, { message }),
  once: (prefix, message) => post(`${prefix}/get_response`, { message }),
  /** A stored run, followed from its first event. */
  run: (prefix, message) => post(`${prefix}/runs`, { message, stream: true }),
  meta: (prefix) => get(`${prefix}/get_metadata`),
  tool: () => post('/tool/echo_tool', { text: 'hi' }),
  delta: DELTA,
}
const toModel = (message, stream) => ({ model: 'gpt-5-mini', stream, input: [{ role: 'user', content: message }] })

export const adapters = {
  /** Servers of the wire: ours, the original, and the raw proxies that re-frame. */
  agency: {
    ...agencyRoutes,
    cancel: (prefix, run_id) => post(`${prefix}/cancel_response_stream`, { run_id }),
    ends: ['event: messages', 'event: end', '[DONE]'],
    /** Parses every frame and returns the text of all deltas. */
    verify(text) {
      const seen = { text: '' }
      for (const block of text.split('\n\n')) {
        const event = /^event: (.*)$/m.exec(block)?.[1]
        const data = /^data: (.*)$/m.exec(block)?.[1]
        if (data === undefined || data === '[DONE]') continue
        const value = JSON.parse(data)
        if (event !== undefined) seen[event] = value
        else if (value.data?.data?.type === 'response.output_text.delta') seen.text += value.data.data.delta
      }
      if (!seen.meta?.run_id) throw new Error('no meta event')
      if (!seen.messages?.new_messages) throw new Error('no messages event')
      return seen.text
    },
  },
  /** The same routes, answered with the bytes of the model's stream. */
  pipe: { ...agencyRoutes, ends: ['response.completed'] },
  /** The mock itself. */
  responses: {
    ready: (prefix) => `${prefix}/models`,
    stream: (prefix, message) => post(`${prefix}/responses`, toModel(message, true)),
    once: (prefix, message) => post(`${prefix}/responses`, toModel(message, undefined)),
    delta: DELTA,
    ends: ['event: response.completed'],
  },
}

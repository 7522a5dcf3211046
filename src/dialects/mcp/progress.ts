/** `notifications/progress` of one call. */

/** Hosts give up after a silence of 60 s, so a call that has nothing to say says that it goes on. */
const EVERY_MS = 5_000

/** What is sent of a call: `progress` rises with each message. */
export interface ProgressParams {
  progress: number
  message: string
}

export interface Progress {
  report(message: string): void
  /** Ends the messages; resolves when the last one is out. */
  stop(): Promise<void>
}

/** Sends one message at a time; of those that come meanwhile, the newest. */
export function startProgress(send: (params: ProgressParams) => Promise<void>): Progress {
  let progress = 0
  let latest = 'Working'
  let waiting: string | undefined
  let sending: Promise<void> | undefined
  let stopped = false
  const sendAll = async () => {
    while (waiting !== undefined && !stopped) {
      const message = waiting
      waiting = undefined
      await send({ progress: ++progress, message }).catch(() => {}) // the host has left; its call ends on its own
    }
    sending = undefined
  }
  const push = (message: string) => {
    latest = message
    waiting = message
    sending ??= sendAll()
  }
  const timer = setInterval(() => push(latest), EVERY_MS)
  return {
    report: push,
    async stop() {
      stopped = true
      clearInterval(timer)
      await sending
    },
  }
}

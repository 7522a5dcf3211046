import { type Browser, chromium } from 'playwright-core'

/** Nothing of the browser's own may look for a network; `plain.test` is this machine, but no secure context. */
const FLAGS =
  '--host-resolver-rules=MAP*plain.test*127.0.0.1 --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? 'chromium',
    args: FLAGS.split(' ').map((flag) => flag.replaceAll('*', ' ')),
  })

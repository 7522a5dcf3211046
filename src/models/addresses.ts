/** Classifies addresses: below a trusted one, OpenAI's, or unknown. */

/** True when an address lies at or below one of these. An origin without a path covers all its paths. */
export const isBelow = (address: string, roots: readonly string[]): boolean => {
  const { origin, pathname } = new URL(address)
  return roots.some((root) => {
    const trusted = new URL(root)
    if (trusted.origin !== origin) return false
    const path = trusted.pathname.replace(/(?<!\/)\/+$/, '')
    if (path === '') return true
    return pathname.startsWith(path) && PLAIN_REST.test(pathname.slice(path.length))
  })
}

/** Whole segments that no server resolves to a parent folder: no escapes, no `..`, no path parameters. */
const PLAIN_REST = /^(\/[\w-][\w.-]*)*\/?$/

/** True when an address has the origin of one of these. */
export const hasOrigin = (address: string, others: readonly string[]): boolean => {
  const { origin } = new URL(address)
  return others.some((other) => new URL(other).origin === origin)
}

const OPENAI_HOST = /^((\w+\.)?api\.openai\.com|chatgpt\.com)\.?$/
const AZURE_HOST = /\.openai\.azure\.com\.?$/

/** True for an address of OpenAI itself: its API, a regional one, or the backend of ChatGPT. */
export const isOpenAi = (address: string): boolean => {
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' && OPENAI_HOST.test(hostname)
}

/** True for an address that serves only OpenAI's models: it must not get another provider's key. */
export const isOpenAiOnly = (address: string): boolean => {
  const { hostname } = new URL(address)
  return OPENAI_HOST.test(hostname) || AZURE_HOST.test(hostname)
}

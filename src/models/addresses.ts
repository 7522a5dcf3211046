/** Whose an address is: the operator's, OpenAI's, or nobody's that is known. */

/** True when an address lies at or below one of these. An origin without a path covers everything on it. */
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

/** Whole segments that no server reads as a way up: no escapes, no `..`, no path parameters. */
const PLAIN_REST = /^(\/[\w-][\w.-]*)*\/?$/

/** True when an address has the origin of one of these. */
export const hasOrigin = (address: string, others: readonly string[]): boolean => {
  const { origin } = new URL(address)
  return others.some((other) => new URL(other).origin === origin)
}

const OPENAI_HOST = /^((\w+\.)?api\.openai\.com|chatgpt\.com)\.?$/
const AZURE_HOST = /\.openai\.azure\.com\.?$/

/** An address that OpenAI itself answers: its API, that of a region, the backend of ChatGPT. */
export const isOpenAi = (address: string): boolean => {
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' && OPENAI_HOST.test(hostname)
}

/** An address that serves OpenAI's models alone: another provider's key has no business there. */
export const isOpenAiOnly = (address: string): boolean => {
  const { hostname } = new URL(address)
  return OPENAI_HOST.test(hostname) || AZURE_HOST.test(hostname)
}

/** Formats numbers, times and JSON for display. */
const count = new Intl.NumberFormat('en')
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const dollars = new Intl.NumberFormat('en', {
  maximumSignificantDigits: 3,
  maximumFractionDigits: 6,
  roundingPriority: 'lessPrecision',
})

export const formatCount = (value: number) => count.format(value)

/** Short form of a number: 3.1k. */
export const formatShort = (value: number) => short.format(value).replace('K', 'k')

export const plural = (value: number, noun: string) => `${formatCount(value)} ${noun}${value === 1 ? '' : 's'}`

/** Formats a duration in milliseconds for people. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

export const formatUsd = (value: number) => `$${dollars.format(value)}`

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(0)} KB`
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`
}

/** Formats a moment: its time for today, its date for other days. */
export function formatWhen(time: number): string {
  const date = new Date(time)
  return date.toDateString() === new Date().toDateString()
    ? date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString()
}

/** Indents JSON; any other text stays unchanged. */
export function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

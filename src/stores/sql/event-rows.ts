/** The text of a row of events: those that were written together, with what many of them begin with written once. */

/** Stands between the parts of a row. JSON has no place for this character, nor for the next two. */
const BETWEEN = '\u001e'
/** Begins a part that is no event: the start of those after it that are cut. */
const START = '\u001d'
/** Begins the rest of an event that is cut. */
const REST = '\u001c'
/** A start of fewer characters is not worth its part; one of more is not looked for. */
const MIN_START_CHARS = 32
const MAX_START_CHARS = 1_024

/** One event stays as it is. */
export function packEvents(events: readonly string[]): string {
  if (events.length === 1) return events[0] as string
  const parts: string[] = []
  let start = ''
  for (const [index, event] of events.entries()) {
    if (start === '' || !event.startsWith(start)) {
      start = findStart(event, events[index + 1])
      if (start !== '') parts.push(START + start)
    }
    parts.push(start === '' ? event : REST + event.slice(start.length))
  }
  return parts.join(BETWEEN)
}

export function unpackEvents(text: string): string[] {
  const events: string[] = []
  let start = ''
  for (const part of text.split(BETWEEN)) {
    if (part.startsWith(START)) start = part.slice(START.length)
    else events.push(part.startsWith(REST) ? start + part.slice(REST.length) : part)
  }
  return events
}

/** What an event and the next begin with, up to the last name of a field: values that are alike by chance are not in it. */
function findStart(event: string, next = ''): string {
  const most = Math.min(event.length, next.length, MAX_START_CHARS)
  let same = 0
  while (same < most && event.charCodeAt(same) === next.charCodeAt(same)) same++
  const end = event.lastIndexOf(':', same - 1) + 1
  return end < MIN_START_CHARS ? '' : event.slice(0, end)
}

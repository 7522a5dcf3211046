/**
 * The OpenAPI document for pages that show its texts as Markdown. Texts of operations come from tools, which may come from
 * elsewhere: markup in them is shown as it is written, and becomes no part of the page. Code in backticks is shown so anyway.
 */
async function loadDocument() {
  const TEXTS = ['description', 'summary', 'title']
  const VALUES = ['example', 'examples', 'default', 'const', 'enum']
  const asText = (text) =>
    text
      .split(/(`+[^`]*`+)/)
      .map((piece, index) => (index % 2 === 1 ? piece : piece.replace(/<(?=[a-z/!?])/gi, '&lt;')))
      .join('')
  const shown = (value, key) => {
    if (typeof value === 'string') return TEXTS.includes(key) ? asText(value) : value
    if (Array.isArray(value)) return value.map((part) => shown(part))
    if (typeof value !== 'object' || value === null || VALUES.includes(key)) return value
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shown(part, name)]))
  }
  const answer = await fetch('openapi.json')
  return shown(await answer.json())
}

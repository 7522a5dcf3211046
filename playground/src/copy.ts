/** Copies a text to the clipboard. @throws when the browser refuses */
export async function copyText(text: string): Promise<void> {
  // Pages loaded over plain HTTP from another machine lack the Clipboard API; the old command still works there.
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text)
  const box = document.createElement('textarea')
  box.value = text
  box.className = 'visually-hidden'
  document.body.append(box)
  box.select()
  const copied = document.execCommand('copy')
  box.remove()
  if (!copied) throw new Error('The browser refused to copy.')
  return undefined
}

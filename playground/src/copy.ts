/** Puts a text into the clipboard. @throws when the browser refuses */
export async function copyText(text: string): Promise<void> {
  // Pages that came over plain HTTP from another machine have no clipboard of their own, but the old command.
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

/** The form that attaches a file by its address. */
import { type KeyboardEvent, useState } from 'react'

/** Asks for an entry of `file_urls`; the server fetches the file. */
export function AddressForm({ onAdd, onClose }: { onAdd: (name: string, url: string) => void; onClose: () => void }) {
  const [url, setUrl] = useState('')
  const [name, setName] = useState('')
  const fileName = name.trim() || nameIn(url)
  const add = () => url.trim() !== '' && onAdd(fileName, url.trim())
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' && event.key !== 'Enter') return
    event.preventDefault()
    if (event.key === 'Enter') add()
    else onClose()
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a form cannot stand inside a form
    <div className="address-form" role="group" aria-label="File by URL">
      <label>
        <span>URL</span>
        <input
          // biome-ignore lint/a11y/noAutofocus: the user opened the form just now
          autoFocus
          value={url}
          placeholder="https://example.com/report.pdf"
          onChange={(event) => setUrl(event.target.value)}
          onKeyDown={onKeyDown}
        />
      </label>
      <label>
        <span>Name</span>
        <input
          value={name}
          placeholder={fileName}
          onChange={(event) => setName(event.target.value)}
          onKeyDown={onKeyDown}
        />
      </label>
      <button type="button" className="text-button framed" disabled={url.trim() === ''} onClick={add}>
        Add
      </button>
    </div>
  )
}

const nameIn = (url: string) => url.split(/[?#]/)[0]?.split('/').filter(Boolean).at(-1) ?? 'file'

/** Why a development server cannot serve its file: over the page, until the file is corrected. */
import { useEffect, useRef } from 'react'
import { Icon } from '../icons.tsx'

/** What the server says of the file that it cannot load. */
export interface LoadFailure {
  message: string
  /** Where it went wrong, as far as that is known: `agency.ts:3`, and the lines around it. */
  place?: string
  lines?: readonly { number: number; text: string; isPlace: boolean }[]
}

/** Covers the page and takes the focus; the conversation below stays as it is. */
export function LoadError({ failure: { message, place, lines = [] } }: { failure: LoadFailure }) {
  const box = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = box.current
    if (dialog?.open === false) dialog.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog ref={box} className="load-error" aria-labelledby="load-error" onCancel={(event) => event.preventDefault()}>
      <h2 id="load-error">
        <Icon name="alert" /> The agency cannot be loaded
      </h2>
      {place !== undefined && <p className="place">{place}</p>}
      <p className="reason" role="alert">
        {message}
      </p>
      {lines.length > 0 && (
        <pre>
          {lines.map(({ number, text, isPlace }) => (
            <code key={number} data-place={isPlace} data-line={number}>
              {text}
              {'\n'}
            </code>
          ))}
        </pre>
      )}
      <p className="hint">This goes away when the file is corrected and saved.</p>
    </dialog>
  )
}

/** Small controls: buttons, folding sections, dialogs, scroll boxes. */
import { type ButtonHTMLAttributes, type ReactNode, type Ref, useEffect, useRef, useState } from 'react'
import { copyText } from './copy.ts'
import { Icon, type IconName } from './icons.tsx'

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement>

/** A button with only an icon; `label` is its accessible name and tooltip. */
export const IconButton = ({ icon, label, ...rest }: ButtonProps & { icon: IconName; label: string }) => (
  <button type="button" className="icon-button" aria-label={label} title={label} {...rest}>
    <Icon name={icon} />
  </button>
)

/** A button that copies a text; the text is built on click. */
export function CopyButton({ label, text, icon = 'copy' }: { label: string; text: () => string; icon?: IconName }) {
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle')
  useEffect(() => {
    if (state === 'idle') return undefined
    const timer = setTimeout(() => setState('idle'), 2000)
    return () => clearTimeout(timer)
  }, [state])
  const copy = () =>
    copyText(text()).then(
      () => setState('copied'),
      () => setState('failed'),
    )
  const said = { idle: label, copied: 'Copied', failed: 'Copying failed' }[state]
  return (
    <button type="button" className="text-button" onClick={copy}>
      <Icon name={state === 'copied' ? 'check' : icon} />
      <span aria-live="polite">{said}</span>
    </button>
  )
}

interface FoldProps {
  className?: string
  /** The line that is always visible; clicking it opens and closes the section. */
  summary: ReactNode
  /** Whether the section is open, until the reader opens or closes it. */
  open: boolean
  children: ReactNode
}

/** A section that opens and closes. The reader's choice wins over `open`; a closed section is not rendered. */
export function Fold({ className = '', summary, open: suggested, children }: FoldProps) {
  const [byHand, setByHand] = useState<boolean>()
  const open = byHand ?? suggested
  return (
    <div className={`fold ${className}`} data-open={open}>
      <button type="button" className="fold-line" aria-expanded={open} onClick={() => setByHand(!open)}>
        <span className="fold-mark">
          <Icon name="chevron" />
        </span>
        {summary}
      </button>
      {open && <div className="fold-body">{children}</div>}
    </div>
  )
}

/** A modal window; Escape and the close button call `onClose`, unless there is none. */
export function Dialog({ title, onClose, children }: { title: string; onClose?: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog
      ref={dialog}
      className="dialog"
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault()
        onClose?.()
      }}
    >
      <header className="dialog-head">
        <h2>{title}</h2>
        {onClose && <IconButton icon="close" label="Close" onClick={onClose} />}
      </header>
      {children}
    </dialog>
  )
}

interface ScrollProps {
  className: string
  /** Its accessible name. */
  label: string
  children: ReactNode
  box?: Ref<HTMLDivElement>
}

/** A box that scrolls and can have the focus, so that it also scrolls with the keyboard. */
export const Scroll = ({ className, label, children, box }: ScrollProps) => (
  // biome-ignore lint/a11y/useSemanticElements: a fieldset belongs to a form
  // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys scroll the focused element
  <div ref={box} className={className} role="group" tabIndex={0} aria-label={label}>
    {children}
  </div>
)

/** Stands where content is being loaded. */
export const Skeleton = ({ label }: { label: string }) => (
  <div className="skeleton" role="status">
    <span className="visually-hidden">{label}</span>
    <i />
    <i />
    <i />
  </div>
)

/** Names with values, in a wrapping line. */
export const Facts = ({ facts }: { facts: readonly (readonly [name: string, value: string])[] }) => (
  <dl className="facts">
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
)

/** Shows a text unchanged. */
export const Code = ({ text, label }: { text: string; label: string }) => (
  <Scroll className="code" label={label}>
    <pre>
      <code>{text}</code>
    </pre>
  </Scroll>
)

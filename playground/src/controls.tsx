import { type ButtonHTMLAttributes, type ReactNode, type Ref, useEffect, useRef, useState } from 'react'
import { copyText } from './copy.ts'
import { Icon, type IconName } from './icons.tsx'

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement>

/** A button that is only a picture; `label` is its name and its tooltip. */
export const IconButton = ({ icon, label, ...rest }: ButtonProps & { icon: IconName; label: string }) => (
  <button type="button" className="icon-button" aria-label={label} title={label} {...rest}>
    <Icon name={icon} />
  </button>
)

/** Copies a text when asked; the text is made only then. */
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
  /** The line that is always seen; clicking it folds and unfolds. */
  summary: ReactNode
  /** Unfolded as long as the reader has not decided. */
  open: boolean
  children: ReactNode
}

/** Something that can be folded away. What the reader did by hand stays; what is folded is not drawn. */
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
  /** Its name. */
  label: string
  children: ReactNode
  box?: Ref<HTMLDivElement>
}

/** A box that scrolls; people with a keyboard reach it to do so. */
export const Scroll = ({ className, label, children, box }: ScrollProps) => (
  // biome-ignore lint/a11y/useSemanticElements: a fieldset belongs to a form
  // biome-ignore lint/a11y/noNoninteractiveTabindex: arrows scroll what has the focus
  <div ref={box} className={className} role="group" tabIndex={0} aria-label={label}>
    {children}
  </div>
)

/** A text as it is. */
export const Code = ({ text, label }: { text: string; label: string }) => (
  <Scroll className="code" label={label}>
    <pre>
      <code>{text}</code>
    </pre>
  </Scroll>
)

/** Error notices. */
import type { ReactNode } from 'react'
import { Icon } from '../icons.tsx'

/** Shows what went wrong and how to fix it. */
export const Notice = ({
  sentence,
  wayOut,
  children,
}: {
  sentence: string
  wayOut?: string | undefined
  children?: ReactNode
}) => (
  <div className="notice" role="alert">
    <Icon name="alert" />
    <div>
      <p className="notice-sentence">{sentence}</p>
      {wayOut !== undefined && <p>{wayOut}</p>}
      {children}
    </div>
  </div>
)

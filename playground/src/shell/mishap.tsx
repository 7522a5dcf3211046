import { Component, type ReactNode } from 'react'
import { Notice } from '../chat/notice.tsx'

/** Shown instead of an empty page when the page itself has an error. What is kept in the browser is not touched. */
export class Mishap extends Component<{ children: ReactNode }, { error?: unknown }> {
  override state: { error?: unknown } = {}

  static getDerivedStateFromError(error: unknown) {
    return { error }
  }

  override render() {
    if (!('error' in this.state)) return this.props.children
    return (
      <main className="unreachable">
        <Notice
          sentence={`This page failed: ${String(this.state.error)}`}
          wayOut="Conversations are kept. Reload to go on."
        >
          <button type="button" className="text-button framed" onClick={() => location.reload()}>
            Reload
          </button>
        </Notice>
      </main>
    )
  }
}

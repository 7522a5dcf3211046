/** Error boundaries of the page. */
import { Component, type ReactNode } from 'react'
import { Notice } from '../chat/notice.tsx'

interface ErrorBoundaryProps {
  /** Shown instead of the children after one of them failed to render. */
  fallback: (error: unknown) => ReactNode
  children: ReactNode
}

/** Keeps an error in one part of the page from breaking the rest. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, { error?: unknown }> {
  override state: { error?: unknown } = {}

  static getDerivedStateFromError(error: unknown) {
    return { error }
  }

  override render() {
    return 'error' in this.state ? this.props.fallback(this.state.error) : this.props.children
  }
}

/** Shown instead of an empty page when the page itself has an error. Stored conversations are unchanged. */
export const PageError = ({ error }: { error: unknown }) => (
  <main className="unreachable">
    <Notice sentence={`This page failed: ${String(error)}`} wayOut="Your conversations are saved. Reload to continue.">
      <button type="button" className="text-button framed" onClick={() => location.reload()}>
        Reload
      </button>
    </Notice>
  </main>
)

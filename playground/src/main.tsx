/** Entry point of the playground. */
import './styles/base.css'
import './styles/shell.css'
import './styles/chat.css'
import './styles/composer.css'
import './styles/panels.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { ErrorBoundary, PageError } from './shell/error-boundary.tsx'

createRoot(document.getElementById('page') as HTMLElement).render(
  <StrictMode>
    <ErrorBoundary fallback={(error) => <PageError error={error} />}>
      <App />
    </ErrorBoundary>
  </StrictMode>,
)

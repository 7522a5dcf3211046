import { createRoot } from 'react-dom/client'
import { AgUiChat } from './ag-ui-chat.tsx'
import { AiSdkChat } from './ai-sdk-chat.tsx'

createRoot(document.getElementById('root') as HTMLElement).render(
  <main>
    <AiSdkChat />
    <AgUiChat />
  </main>,
)

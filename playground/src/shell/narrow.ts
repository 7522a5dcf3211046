/** Whether the screen shows one part of the page at a time; the styles use the same width. */
import { useSyncExternalStore } from 'react'

const narrow = matchMedia('(max-width: 760px)')

const listen = (onChange: () => void) => {
  narrow.addEventListener('change', onChange)
  return () => narrow.removeEventListener('change', onChange)
}

/** The landmark of a part of the page: `main` where it is the only part, or its role beside the conversation. */
export const useLandmark = (beside: 'complementary' | 'navigation') =>
  useSyncExternalStore(listen, () => narrow.matches) ? 'main' : beside

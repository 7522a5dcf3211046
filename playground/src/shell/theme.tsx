/** The colour theme. */
import { useEffect, useState } from 'react'
import { IconButton } from '../controls.tsx'
import { browser } from '../kept.ts'

const THEMES = ['system', 'light', 'dark'] as const
type Theme = (typeof THEMES)[number]
const KEY = 'agency-swarm-js theme'
const ICONS = { system: 'screen', light: 'sun', dark: 'moon' } as const

/** Switches between light, dark and the system's theme; stored in this browser. */
export function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(() => THEMES.find((name) => name === browser.read(KEY)) ?? 'system')
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme
    browser.write(KEY, theme)
  }, [theme])
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] as Theme
  return <IconButton icon={ICONS[theme]} label={`Theme: ${theme}. Switch to ${next}`} onClick={() => setTheme(next)} />
}

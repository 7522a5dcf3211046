/** The request settings as a React hook. */
import { useEffect, useState } from 'react'
import { tab } from '../kept.ts'
import { BASE_URL } from '../server.ts'
import { noSettings, type Settings } from './settings.ts'

const KEY = `agency-swarm-js request ${new URL(`${BASE_URL}/`).pathname}`

/** Returns the request settings. They may contain keys, so they are kept only while the tab is open. */
export function useSettings() {
  const [settings, setSettings] = useState<Settings>(read)
  useEffect(() => tab.write(KEY, JSON.stringify(settings)), [settings])
  return [settings, setSettings] as const
}

function read(): Settings {
  try {
    return { ...noSettings, ...JSON.parse(tab.read(KEY) ?? '{}') }
  } catch {
    return noSettings
  }
}

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The path of a Chromium: $CHROMIUM, or one in $PATH; undefined when there is none. */
export function findChromium() {
  const { CHROMIUM, PATH = '' } = process.env
  const places = PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)))
  return [CHROMIUM, ...places].find((path) => path && isExecutable(path))
}

/** The same. As root, installs Debian's package when there is none. */
export function needChromium() {
  const found = findChromium()
  if (found !== undefined || process.getuid?.() !== 0) return found
  console.log("Installing Debian's package chromium for the browser tests ...")
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 }).status === 0
  const packages = ['install', '-y', '--no-install-recommends', 'chromium']
  if (!apt(...packages) && apt('update')) apt(...packages)
  return findChromium()
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

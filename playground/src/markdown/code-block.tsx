/** Code blocks with syntax highlighting. */
import { useDeferredValue, useEffect, useState } from 'react'
import { CopyButton, Scroll } from '../controls.tsx'
import type { Stretch } from './highlight.ts'

/** Longest code that is highlighted, in characters. */
const MAX_CHARS = 20_000

export function CodeBlock({ text, language }: { text: string; language: string }) {
  const stretches = useHighlight(language.toLowerCase().split(/[\s{,]/, 1)[0] ?? '', text)
  return (
    <figure className="code-block">
      <figcaption>
        <span>{language || 'text'}</span>
        <CopyButton label="Copy" text={() => text} />
      </figcaption>
      <Scroll className="code" label={`Code: ${language || 'text'}`}>
        <pre>
          <code>
            {stretches === undefined
              ? text
              : stretches.map((stretch, index) =>
                  stretch.className === '' ? (
                    stretch.text
                  ) : (
                    <span key={index} className={stretch.className}>
                      {stretch.text}
                    </span>
                  ),
                )}
          </code>
        </pre>
      </Scroll>
    </figure>
  )
}

/** Highlights code once the highlighter is loaded. While the code grows, highlighting is deferred. */
function useHighlight(language: string, text: string): readonly Stretch[] | undefined {
  const settled = useDeferredValue(text)
  const [drawn, setDrawn] = useState<{ text: string; stretches: readonly Stretch[] | undefined }>()
  useEffect(() => {
    if (language === '' || settled.length > MAX_CHARS) return undefined
    let left = false
    import('./highlight.ts')
      .then(({ highlight }) => !left && setDrawn({ text: settled, stretches: highlight(language, settled) }))
      .catch(() => {}) // code stays readable without colours
    return () => {
      left = true
    }
  }, [language, settled])
  return drawn?.text === text ? drawn.stretches : undefined
}

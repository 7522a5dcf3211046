/** Renders formulas. */
import { useEffect, useRef } from 'react'

/** Renders a formula as MathML, which browsers show without extra styles or fonts. KaTeX is loaded with the first formula. */
export function MathFormula({ tex, display }: { tex: string; display: boolean }) {
  const box = useRef<HTMLSpanElement>(null)
  useEffect(() => {
    let left = false
    const draw = async () => {
      const { render } = await import('katex')
      // Elements are created one by one: formulas are untrusted, and the page's policy forbids turning text into markup.
      if (!left && box.current !== null) render(tex, box.current, { output: 'mathml', displayMode: display, ...BOUNDS })
    }
    draw().catch(() => {}) // the formula stays readable as TeX
    return () => {
      left = true
    }
  }, [tex, display])
  return (
    <span ref={box} className={display ? 'math display' : 'math'} key={tex}>
      {tex}
    </span>
  )
}

const BOUNDS = { throwOnError: false, trust: false, maxExpand: 200, maxSize: 20, strict: 'ignore' } as const

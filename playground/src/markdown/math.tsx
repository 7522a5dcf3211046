import { useEffect, useRef } from 'react'

/** A formula as MathML, which browsers draw without styles or fonts of ours. KaTeX is loaded by the first formula. */
export function MathFormula({ tex, display }: { tex: string; display: boolean }) {
  const box = useRef<HTMLSpanElement>(null)
  useEffect(() => {
    let left = false
    const draw = async () => {
      const { render } = await import('katex')
      // Elements are made one by one: the page's policy lets no text become markup. Nothing in a formula is trusted.
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

/** A Meter that writes Prometheus' text format. */
import type { Counter, Histogram, InstrumentOptions, Labels, Meter } from './meter.ts'

/** Most series of one instrument. Further label values are counted in one series whose labels are all `other`. */
const MAX_SERIES = 2000
const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** The content type of Prometheus' text format. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

type Kind = 'counter' | 'gauge' | 'histogram'

/**
 * Keeps the instruments of a meter and writes them for Prometheus. Names follow OpenTelemetry's rule for Prometheus, so that
 * dashboards work with both: dots become underscores, the unit goes to the end, counters end in `_total`.
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
export class PrometheusRegistry implements Meter {
  readonly #instruments: { head: string; lines(): string[] }[] = []

  createCounter(name: string, options: InstrumentOptions = {}): Counter {
    return this.#sum(name, options, 'counter')
  }
  createUpDownCounter(name: string, options: InstrumentOptions = {}): Counter {
    return this.#sum(name, options, 'gauge')
  }
  createHistogram(name: string, options: InstrumentOptions = {}): Histogram {
    const full = fullName(name, options.unit, 'histogram')
    const bounds = options.advice?.explicitBucketBoundaries ?? DEFAULT_BUCKETS
    const series = new Series(() => ({ buckets: new Array<number>(bounds.length).fill(0), sum: 0, count: 0 }))
    this.#add(full, options, 'histogram', () =>
      series.entries().flatMap(([labels, { buckets, sum, count }]) => {
        const within = labels === '' ? '' : `${labels},`
        const lines: string[] = []
        let below = 0
        for (const [index, bound] of bounds.entries()) {
          below += buckets[index] as number
          lines.push(`${full}_bucket{${within}le="${bound}"} ${below}`)
        }
        return [
          ...lines,
          `${full}_bucket{${within}le="+Inf"} ${count}`,
          line(`${full}_sum`, labels, sum),
          line(`${full}_count`, labels, count),
        ]
      }),
    )
    return {
      record: (value, labels = {}) => {
        const found = series.of(labels)
        const index = bounds.findIndex((bound) => value <= bound)
        if (index !== -1) found.buckets[index] = (found.buckets[index] as number) + 1
        found.sum += value
        found.count++
      },
    }
  }

  /** Registers a value that is read at each scrape. */
  observe(name: string, options: InstrumentOptions & { kind?: 'counter' }, read: () => [Labels, number][]): void {
    const kind = options.kind ?? 'gauge'
    const full = fullName(name, options.unit, kind)
    this.#add(full, options, kind, () => read().map(([labels, value]) => line(full, writeLabels(labels), value)))
  }

  /** All instruments in the text format, version 0.0.4. */
  text(): string {
    return this.#instruments.map(({ head, lines }) => `${head}\n${lines().join('\n')}\n`.replace('\n\n', '\n')).join('')
  }

  #sum(name: string, options: InstrumentOptions, kind: 'counter' | 'gauge'): Counter {
    const full = fullName(name, options.unit, kind)
    const series = new Series(() => ({ value: 0 }))
    this.#add(full, options, kind, () => series.entries().map(([labels, { value }]) => line(full, labels, value)))
    return {
      add: (value, labels = {}) => {
        series.of(labels).value += value
      },
    }
  }

  #add(full: string, { description = '' }: InstrumentOptions, kind: Kind, lines: () => string[]): void {
    const help = description.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
    this.#instruments.push({ head: `# HELP ${full} ${help}\n# TYPE ${full} ${kind}`, lines })
  }
}

/** The texts of several workers as one: each sample gets the label `worker`, and those of one instrument stand together. */
export function joinTexts(texts: readonly { worker: number; text: string }[]): string {
  const samples = new Map<string, string[]>()
  for (const { worker, text } of texts) {
    for (const block of text.split(/^(?=# HELP )/m)) {
      const [help = '', type = '', ...lines] = block.split('\n')
      const head = `${help}\n${type}`
      const known = samples.get(head) ?? []
      samples.set(head, known)
      for (const sample of lines) if (sample !== '') known.push(withLabel(sample, `worker="${worker}"`))
    }
  }
  return [...samples].map(([head, lines]) => [head, ...lines, ''].join('\n')).join('')
}

/** A sample is `name value` or `name{labels} value`. */
function withLabel(sample: string, label: string): string {
  const end = sample.search(/[{ ]/)
  const name = sample.slice(0, end)
  return sample[end] === '{' ? `${name}{${label},${sample.slice(end + 1)}` : `${name}{${label}}${sample.slice(end)}`
}

/** The series of one instrument; the key is its labels as text. */
class Series<T> {
  readonly #make: () => T
  readonly #known = new Map<string, T>()

  constructor(make: () => T) {
    this.#make = make
  }
  of(labels: Labels): T {
    const key = writeLabels(labels)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const room = this.#known.size < MAX_SERIES
    const kept = room ? key : writeLabels(Object.fromEntries(Object.keys(labels).map((name) => [name, 'other'])))
    const found = this.#known.get(kept) ?? this.#make()
    this.#known.set(kept, found)
    return found
  }
  entries(): [labels: string, value: T][] {
    return [...this.#known]
  }
}

const UNITS: { readonly [unit: string]: string } = { s: '_seconds', By: '_bytes', USD: '_usd', '1': '_ratio' }

function fullName(name: string, unit: string | undefined, kind: Kind): string {
  const plain = name.replace(/[^a-zA-Z0-9_]/g, '_')
  return `${plain}${UNITS[unit ?? ''] ?? ''}${kind === 'counter' ? '_total' : ''}`
}

const writeLabels = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name.replace(/[^a-zA-Z0-9_]/g, '_')}="${quoted(String(value))}"`)
    .join(',')

const quoted = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')

const line = (name: string, labels: string, value: number) => `${name}${labels === '' ? '' : `{${labels}}`} ${value}`

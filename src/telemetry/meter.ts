/** The interface of metric instruments. */
/** The part of OpenTelemetry's `Meter` used here. OpenTelemetry's own meter implements it, and so does PrometheusRegistry. */
export interface Meter {
  createCounter(name: string, options?: InstrumentOptions): Counter
  createUpDownCounter(name: string, options?: InstrumentOptions): Counter
  createHistogram(name: string, options?: InstrumentOptions): Histogram
}

export interface InstrumentOptions {
  description?: string
  /** A UCUM unit: `s`, `By`, `{run}`, `USD`. */
  unit?: string
  advice?: { explicitBucketBoundaries?: number[] }
}

export type Labels = { [name: string]: string | boolean }

export interface Counter {
  add(value: number, labels?: Labels): void
}

export interface Histogram {
  record(value: number, labels?: Labels): void
}

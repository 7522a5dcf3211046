/** Metrics of the process: memory, CPU time, event loop. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { PrometheusRegistry } from './prometheus.ts'
import * as names from './semantics.ts'

/**
 * Registers gauges for memory, CPU time and the event loop of this process. Maximum delay and utilization cover the time since
 * the last scrape.
 * @returns a function that stops measuring
 */
export function observeProcess(registry: PrometheusRegistry): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  let before = performance.eventLoopUtilization()
  const gauge = (name: string, unit: string, description: string, read: () => number) =>
    registry.observe(name, { unit, description }, () => [[{}, read()]])

  registry.observe(
    names.METRIC_PROCESS_CPU_TIME,
    { kind: 'counter', unit: 's', description: 'CPU time of the process.' },
    () => {
      const { user, system } = process.cpuUsage()
      return [
        [{ cpu_mode: 'user' }, user / 1e6],
        [{ cpu_mode: 'system' }, system / 1e6],
      ]
    },
  )
  gauge(names.METRIC_PROCESS_UPTIME, 's', 'Time since the process started.', () => process.uptime())
  gauge(names.METRIC_PROCESS_MEMORY_USAGE, 'By', 'Resident memory.', () => process.memoryUsage.rss())
  gauge(names.METRIC_V8JS_MEMORY_HEAP_USED, 'By', 'Heap in use.', () => process.memoryUsage().heapUsed)
  gauge(names.METRIC_V8JS_MEMORY_HEAP_LIMIT, 'By', 'Heap size limit.', () => getHeapStatistics().heap_size_limit)
  gauge(names.METRIC_NODEJS_EVENTLOOP_DELAY_P50, 's', 'Event loop delay, median.', () => delay.percentile(50) / 1e9)
  gauge(
    names.METRIC_NODEJS_EVENTLOOP_DELAY_P99,
    's',
    'Event loop delay, 99th percentile.',
    () => delay.percentile(99) / 1e9,
  )
  gauge(names.METRIC_NODEJS_EVENTLOOP_DELAY_MAX, 's', 'Event loop delay, maximum.', () => {
    const { max } = delay
    delay.reset()
    return max / 1e9
  })
  gauge(names.METRIC_NODEJS_EVENTLOOP_UTILIZATION, '1', 'Share of the time in which the event loop was busy.', () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    return utilization
  })
  return () => delay.disable()
}

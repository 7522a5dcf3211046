/** The public names of `agency-swarm-js/testing`: scripted models, assertions, recordings and evals. */
export type { CallExpectation } from './checks.ts'
export { type Dataset, defineEval, type EvalCase, type EvalExpectations, type EvalRun } from './evals/dataset.ts'
export { type EvalOptions, type EvalReport, type EvalResult, runEvals } from './evals/run-evals.ts'
export { type AnswerPattern, expectRun, type RunExpectation } from './expect-run.ts'
export type { RunResult } from './facts.ts'
export { type Overrides, override, type ToolStandIn } from './override.ts'
export { type RecordedOptions, recorded } from './recorded.ts'
export { type ReplayOptions, replay } from './replay.ts'
export {
  askAgent,
  callTool,
  handOffTo,
  type ModelRequest,
  type Script,
  type ScriptedAnswer,
  type ScriptedCall,
  type ScriptedModel,
  type ScriptedTurn,
  script,
} from './script.ts'

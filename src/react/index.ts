/** Public entry point `agency-swarm-js/react`: hooks and plain components over the client. Needs React 18 or 19. */

export type { AgentPart, AgentWork, FailurePart, HandoffPart, TextPart, ToolPart } from './agent-tree.ts'
export {
  AgentTree,
  type AgentTreeProps,
  ApprovalCard,
  type ApprovalCardProps,
  Composer,
  type ComposerProps,
  Message,
  type MessageProps,
  type PartProps,
  Thread,
  type ThreadProps,
  ToolCall,
  type ToolCallProps,
} from './components.tsx'
export {
  type AgencyHandle,
  type RunHandle,
  type ThreadHandle,
  type UseAgencyOptions,
  type UseRunOptions,
  type UseThreadOptions,
  useAgency,
  useRun,
  useThread,
} from './hooks.ts'
export type { RunState } from './run-store.ts'
export type { ThreadMessage, ThreadState } from './thread-store.ts'

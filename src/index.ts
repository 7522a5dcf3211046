/** Every public name; a new line here is a promise. */
export type { AgencyOptions, LoadThreads, SaveThreads } from './agency/agency.ts'
export type { AgentOptions, Instructions } from './agency/agent.ts'
export type { AgencyContext, AgentInfo } from './agency/context.ts'
export { type CommunicationFlow, flow, Handoff, type OutputOf, SendMessage } from './agency/flows.ts'
export type { GuardrailResult, InputGuardrail, OutputGuardrail, SdkGuardrail } from './agency/guardrails.ts'
export type { RunHooks, ToolCall } from './agency/hooks.ts'
export type { SystemReminder } from './agency/reminders.ts'
export type { AgencyCallbacks, AgencyFactory } from './agency/served.ts'
export type { PromptFunction, StoredPrompt } from './agency/stored-prompt.ts'
export type { ToolResult, ToolUseBehavior, ToolUseVerdict } from './agency/tool-use.ts'
export { loadTools } from './agency/tools-folder.ts'
export { Agency, type AgencyResult, type AgencyStream, Agent } from './agency-swarm.ts'
export { AgencyError, type ErrorCode } from './base/errors.ts'
export type { Limits } from './base/limits.ts'
export { VERSION } from './base/version.ts'
export type { Logger } from './composition/log.ts'
export type { A2aCard, A2aField, A2aOptions, A2aSkill } from './dialects/a2a/card.ts'
export type { McpOptions } from './dialects/mcp/door.ts'
export { type LoadFileAttachmentOptions, loadFileAttachment } from './files/load-attachment.ts'
export { type PathOptions, toolOutputFileFromPath, toolOutputImageFromPath } from './files/output-from-path.ts'
export { type PresentFilesOptions, presentFiles } from './files/present-files.ts'
export type { RunOptions } from './in-process/run-options.ts'
export type { SdkModel } from './models/agents-sdk/model.ts'
export type { LanguageModel } from './models/ai-sdk/ai-sdk.ts'
export type { EventBatch, Model, ModelResponse, ModelSettings, ResponseEvent, TurnRequest } from './models/model.ts'
export type { ModelPrice, Prices, TokenRates } from './models/pricing/prices.ts'
export {
  type ApiModel,
  type ApiModelOptions,
  chatCompletions,
  type ModelName,
  type ModelSpec,
  responses,
} from './models/spec.ts'
export type { RunEvent } from './runs/events.ts'
export type { Telemetry } from './runs/span.ts'
export { buildApp, type RunningServer, type ServeOptions, serve } from './serve.ts'
export { type RunningMcp, type ServeMcpOptions, serveMcp } from './serve-mcp.ts'
export type { RateLimitOptions } from './server/rate-limit.ts'
export { type OpenApiOptions, toolFactory } from './server/tool-operations.ts'
export { type RunningWorker, startWorker, type WorkerOptions } from './start-worker.ts'
export { memory } from './stores/memory.ts'
export { sqlite } from './stores/sqlite/sqlite.ts'
export type { Metrics } from './telemetry/metrics.ts'
export { BaseTool, type ToolLike } from './tools/base-tool.ts'
export type { InterpreterOptions } from './tools/built-in/interpreter-tool.ts'
export { javascriptInterpreter } from './tools/built-in/javascript.ts'
export { type PythonOptions, pythonInterpreter } from './tools/built-in/python.ts'
export { persistentShell, type ShellOptions } from './tools/built-in/shell.ts'
export { type ToolDefinition, tool } from './tools/define.ts'
export type { OpenApiAuth, OpenApiCredential } from './tools/from-openapi/auth.ts'
export type { OpenApiOperation } from './tools/from-openapi/operations.ts'
export {
  type OpenApiHeaders,
  type OpenApiToolsOptions,
  toolsFromOpenApi,
} from './tools/from-openapi/tools-from-openapi.ts'
export {
  type CodeInterpreterOptions,
  codeInterpreter,
  type FileSearchOptions,
  fileSearch,
  type HostedMcpOptions,
  hostedMcp,
  hostedTool,
  type ImageGenerationOptions,
  imageGeneration,
  type WebSearchOptions,
  webSearch,
} from './tools/hosted.ts'
export type { LangchainTool } from './tools/langchain-tool.ts'
export type {
  McpAddress,
  McpApprovalCheck,
  McpCommand,
  McpProgress,
  McpServerConfig,
  McpServerSettings,
  McpToolInfo,
} from './tools/mcp/config.ts'
export type { McpServer } from './tools/mcp/sdk-server.ts'
export { closeMcpServer, toolsFromMcp } from './tools/mcp/tools-from-mcp.ts'
export {
  type ApplyPatchToolOptions,
  applyPatchTool,
  type ComputerAction,
  type ComputerCall,
  type ComputerToolOptions,
  type CustomToolOptions,
  computerTool,
  customTool,
  type LocalShellCall,
  type LocalShellToolOptions,
  localShellTool,
  type PatchOperation,
  type SafetyCheck,
  type Screenshot,
  type ShellCall,
  type ShellResult,
  type ShellToolOptions,
  shellTool,
} from './tools/native.ts'
export { type OutputSource, toolOutputFile, toolOutputImage, toolOutputText } from './tools/output.ts'
export type { SdkFunctionTool, SdkHostedTool } from './tools/sdk-tool.ts'
export type { StandardSchema } from './tools/standard-schema.ts'
export type {
  ApprovalCheck,
  CallOptions,
  FailureText,
  FunctionTool,
  HostedTool,
  Tool,
  ToolContext,
  ToolEvent,
  ToolGuardrailResult,
  ToolInputGuardrail,
  ToolNamespace,
  ToolOutputGuardrail,
} from './tools/tool.ts'
export { type ToolNamespaceOptions, toolNamespace, toolSearch } from './tools/tool-search.ts'
export type { ContextAccess, UserContext } from './tools/user-context.ts'
export type { ClientConfigField } from './wire/client-config.ts'
export type { StreamEvent } from './wire/events.ts'
export type { ContentPart, InputItem, ModelEvent, StoredMessage, Usage } from './wire/message.ts'
export type { Metadata } from './wire/responses.ts'

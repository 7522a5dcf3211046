/** The names of the Python original, agency-swarm 1.11.0: what its signatures and `__all__` list, by the heading of the table that maps them. */
export const ORIGINAL_NAMES: { [heading: string]: string } = {
  '`run_fastapi` and `Agency.run_fastapi`': `
    agencies tools host port server_url app_token_env return_app cors_origins enable_agui enable_logging logs_dir allowed_local_file_dirs enable_realtime
    realtime_options oauth_registry oauth_user_id_dependency verify_oauth_callback_user`,
  '`Agency`': `
    entry_point_agents communication_flows name shared_instructions shared_tools shared_tools_folder shared_files_folder shared_mcp_servers
    send_message_tool_class load_threads_callback save_threads_callback user_context randomize_agent_voices voice_random_seed oauth_token_path
    get_agent_context get_agent_runtime_state to_realtime get_response get_response_sync get_response_stream run_fastapi get_agency_graph get_metadata
    get_agency_structure visualize tui terminal_demo copilot_demo`,
  '`get_response` and `get_response_stream`': `
    message recipient_agent context_override hooks_override run_config file_ids additional_instructions agency_context_override run_config_override`,
  '`Agent`': `
    name handoff_description tools mcp_servers mcp_config instructions prompt handoffs model model_settings input_guardrails output_guardrails output_type
    hooks tool_use_behavior reset_tool_choice files_folder tools_folder schemas_folder api_headers api_params description conversation_starters
    quick_replies cache_conversation_starters include_search_results include_web_search_sources validation_attempts raise_input_guardrail_error
    supports_outbound_communication supports_framework_tool_wiring voice handoff_reminder system_reminders clone get_all_tools add_tool ensure_mcp_tools
    upload_file get_response get_response_stream refresh_conversation_starters_cache warm_conversation_starters_cache register_subagent
    get_class_folder_path`,
  '`ModelSettings`': `
    temperature top_p frequency_penalty presence_penalty tool_choice parallel_tool_calls truncation max_tokens reasoning verbosity metadata store
    prompt_cache_retention include_usage response_include top_logprobs extra_query extra_body extra_headers extra_args retry context_management`,
  Tools: `
    BaseTool strict one_call_at_a_time openai_schema context tool_call_id run from_langchain_tools from_langchain_tool from_openai_schema
    from_openapi_schema from_file get_openapi_schema adapt_base_tool from_mcp
    name_override description_override docstring_style use_docstring_info failure_error_function strict_mode is_enabled needs_approval
    tool_input_guardrails tool_output_guardrails timeout timeout_behavior timeout_error_function defer_loading custom_data_extractor
    tools host port app_token_env server_name return_app transport uvicorn_config`,
  '`run_realtime`': `
    agency entry_agent model provider provider_options voice host port turn_detection input_audio_format output_audio_format input_audio_noise_reduction
    cors_origins twilio_number twilio_audio_format twilio_greeting return_app`,
  'Names of the package': `
    AfterEveryUserMessage Agency AgencyContext Agent AgentHooks AgentOutputSchemaBase AgentToolInvocation AsyncComputer BaseTool Body CodeInterpreter
    CodeInterpreterContainer CodeInterpreterContainerCodeInterpreterToolAuto CodeInterpreterTool Computer ComputerTool CustomTool DynamicPromptFunction
    EveryNToolCalls FileSearchTool FunctionTool FunctionToolResult GenerateDynamicPromptData GuardrailFunctionOutput Handoff Headers HostedMCPTool
    ImageGeneration ImageGenerationInputImageMask ImageGenerationTool InputGuardrailTripwireTriggered LitellmModel LoadFileAttachment LocalShellTool
    MCPToolChoice MasterContext Mcp McpAllowedTools McpRequireApproval Model ModelProvider ModelSettings ModelTracing OpenAIChatCompletionsModel
    OpenAIResponsesModel OpenClawAgent OpenClawIntegrationConfig OpenClawRuntime OutputGuardrailTripwireTriggered PersistenceHooks PersistentShellTool
    Query Reasoning ResponseIncludable RunConfig RunContextWrapper RunHooks RunResult RunResultStreaming Runner SDKAgent SDKHandoff SendMessage
    StopAtTools StreamingRunResponse SystemReminder TResponseInputItem ThreadManager Tool ToolChoice ToolOrigin ToolOriginType ToolOutputFileContent
    ToolOutputFileContentDict ToolOutputImage ToolOutputImageDict ToolOutputText ToolOutputTextDict ToolSearchTool ToolsToFinalOutputFunction
    ToolsToFinalOutputResult WebSearchTool attach_openclaw_to_fastapi build_openclaw_responses_model create_openclaw_proxy_router
    enable_hosted_mcp_tool_oauth function_tool input_guardrail output_guardrail run_fastapi run_mcp run_realtime set_tracing_disabled tool_namespace
    tool_output_file_from_file_id tool_output_file_from_path tool_output_file_from_url tool_output_image_from_file_id tool_output_image_from_path trace`,
}

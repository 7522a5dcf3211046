import os
from textwrap import dedent

import requests
from agency_swarm import (
    Agency, Agent, EveryNToolCalls, GuardrailFunctionOutput, Handoff, HostedMCPTool, ModelSettings, RunContextWrapper,
    SendMessage, WebSearchTool, function_tool, input_guardrail, output_guardrail,
)
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp
from openai.types.responses.tool_param import Mcp
from pydantic import BaseModel, Field

from sales import sales
from shapes import Answer, Priority

STYLE = dedent("""
    You are the Desk.
    Use `code` and ${dollars}.
""")
HERE = os.path.dirname(os.path.abspath(__file__))


class Briefed(SendMessage):
    """Sends a message with the decisions."""

    tool_name = "send_message_briefed"

    class ExtraParams(BaseModel):
        decisions: str = Field(description="What was decided")


class Quiet(Handoff):
    add_reminder = False


@function_tool(name_override="find_order", strict_mode=False, timeout=5)
async def find(ctx: RunContextWrapper, order_id: str, priority: Priority = Priority.LOW, tags: list[str] | None = None, limit: int = 3) -> str:
    """Finds an order.

    Args:
        order_id: The number of the order,
            as the customer knows it.
        limit (int): How many.

    Returns:
        The order.
    """
    found = requests.get(f"https://orders.example.com/{order_id}")
    return found.text


@input_guardrail
async def only_orders(context, agent, message):
    return GuardrailFunctionOutput(output_info="Ask about orders.", tripwire_triggered="weather" in str(message))


@output_guardrail(name="polite")
async def polite(context, agent, answer):
    return GuardrailFunctionOutput(output_info="", tripwire_triggered=False)


def rules(context, agent):
    return f"Rules of {agent.name}"


desk = Agent(
    name="Desk",
    description="Talks to customers",
    instructions=STYLE,
    model="gpt-5.4",
    model_settings=ModelSettings(temperature=0.3, max_tokens=2000, reasoning={"effort": "low"}, frequency_penalty=0.5, extra_query={"a": "b"}),
    tools=[find, WebSearchTool(search_context_size="low"), HostedMCPTool(tool_config=Mcp(type="mcp", server_label="docs", server_url="https://docs.example.com", require_approval="never")), make_tool()],
    output_type=Answer,
    conversation_starters=["Ask Sales about the price", 'Say "hello"'],
    input_guardrails=[only_orders],
    output_guardrails=[polite],
    system_reminders=["Be brief.", EveryNToolCalls(5, "Are you done?")],
    validation_attempts=2,
    examples=[{"role": "user", "content": "Hi"}],
)
writer = Agent(
    name="Writer",
    instructions=os.path.join(HERE, "writer.md"),
    model="litellm/anthropic/claude-sonnet-4",
    mcp_servers=[
        MCPServerStdio(params={"command": "npx", "args": ["-y", "notes"], "env": {"KEY": os.getenv("NOTES_KEY", "")}}, name="notes.local", cache_tools_list=True),
        MCPServerStreamableHttp(params={"url": "https://mcp.example.com/mcp"}, client_session_timeout_seconds=20),
    ],
    files_folder="./no_such_folder",
    schemas_folder="./schemas",
    api_headers={"shop.json": {"X-Key": os.environ["SHOP_KEY"]}},
)
checker = Agent(name="Checker", instructions=rules, temperature=0.1)


def create_agency(load_threads_callback=None, save_threads_callback=None):
    if not os.getenv("OPENAI_API_KEY"):
        print("no key")
    agency = Agency(
        desk,
        sales,
        name="Desk Agency",
        communication_flows=[
            desk > writer > checker,
            (desk > sales, Briefed),
            (writer, sales),
            (sales, desk, Quiet),
            (checker < sales),
            (desk, checker, [SendMessage, Handoff]),
        ],
        shared_instructions="./shared.md",
        user_context={"plan": "free", "seats": 3},
        load_threads_callback=load_threads_callback,
        save_threads_callback=save_threads_callback,
        randomize_agent_voices=True,
    )
    return agency


CHART = [sales, [sales, checker]]
second = Agency(CHART, shared_instructions="Be kind.")

"""Uses the API with nothing but the client that openapi-python-client made of its document.

python client.py <url> <url of the server behind a token> <token>
"""

import sys
from http import HTTPStatus

from agency_swarm_js_client import AuthenticatedClient, Client
from agency_swarm_js_client.api.logs import get_logs
from agency_swarm_js_client.api.team import (
    team_cancel_response_stream,
    team_get_metadata,
    team_get_response,
    team_get_response_stream,
)
from agency_swarm_js_client.api.tools import add_numbers, format_address
from agency_swarm_js_client.models import (
    AddNumbersRequest,
    AgencyResponse,
    AgentNode,
    CancelRequest,
    FormatAddress,
    HTTPValidationError,
    LogRequest,
    ModifiedRequest,
)

url, closed_url, token = sys.argv[1:]
client = Client(base_url=url, raise_on_unexpected_status=True, timeout=30)

answer = team_get_response.sync(client=client, body=ModifiedRequest(message="What is 2 plus 3?"))
assert isinstance(answer, AgencyResponse), answer
assert isinstance(answer.response, str) and answer.usage.total_tokens > 0, answer
assert answer.new_messages[0].caller_agent is None, answer

history = [message.to_dict() for message in answer.new_messages]
more = ModifiedRequest.from_dict({"message": "And 4 plus 5?", "chat_history": history})
assert isinstance(team_get_response.sync(client=client, body=more), AgencyResponse)

unknown = team_get_response.sync(client=client, body=ModifiedRequest(message="x", recipient_agent="Nobody"))
assert isinstance(unknown, HTTPValidationError), unknown
assert unknown.detail[0].loc == ["body", "recipient_agent"], unknown

text = team_get_response_stream.sync(client=client, body=ModifiedRequest(message="Hello"))
assert isinstance(text, str) and text.endswith("event: end\ndata: [DONE]\n\n"), text

gone = team_cancel_response_stream.sync_detailed(client=client, body=CancelRequest(run_id="none"))
assert gone.status_code == HTTPStatus.NOT_FOUND and gone.parsed.detail, gone

graph = team_get_metadata.sync(client=client)
assert {node.id for node in graph.nodes if isinstance(node, AgentNode)} == {"Guide", "Expert", "Support"}, graph

added = add_numbers.sync(client=client, body=AddNumbersRequest(a=2, b=3))
assert added.response.sum_ == 5, added
address = format_address.sync(client=client, body=FormatAddress(street="Main 5", zip_=12345))
assert address.response == "Main 5, 12345", address
assert get_logs.sync_detailed(client=client, body=LogRequest(log_id="none")).status_code == HTTPStatus.NOT_FOUND

for key, status in ((token, HTTPStatus.OK), ("wrong", HTTPStatus.UNAUTHORIZED)):
    guarded = AuthenticatedClient(base_url=closed_url, token=key)
    asked = team_get_response.sync_detailed(client=guarded, body=ModifiedRequest(message="Hello"))
    assert asked.status_code == status, asked
print("answers, streams, tools, logs and tokens")

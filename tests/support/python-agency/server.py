"""Serves both agencies. Nothing in these files is run: this line would end the tests."""
import os

from agency_swarm import run_fastapi
from agency_swarm.tools import ToolFactory
from desk_agency import create_agency, second
from sales import PriceTool

raise SystemExit("this file was run")

if __name__ == "__main__":
    run_fastapi(
        agencies={"desk": create_agency, "second": second},
        tools=[PriceTool],
        port=8080,
        app_token_env="DESK_TOKEN",
        cors_origins=["https://app.example.com"],
        oauth_registry=os.environ["REGISTRY"],
    )

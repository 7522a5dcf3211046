from agency_swarm import Agent


class Sales(Agent):
    def __init__(self):
        super().__init__(
            name="Sales",
            description="Knows prices",
            instructions="./instructions.md",
            tools_folder="./tools",
            files_folder="./files",
            max_prompt_tokens=25000,
        )

    def response_validator(self, message):
        return message

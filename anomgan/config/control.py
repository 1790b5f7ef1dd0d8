"""`[control]`: who may tell the service what to do."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from anomgan.config.table import Table


class ControlConfig(Table):
    """`[control]`: requests on `TOPIC/request/COMMAND`, answered on `TOPIC/response/COMMAND`; off unless configured."""

    topic: str = Field("anomgan", min_length=1, max_length=200)
    authentication: Literal["signed", "broker"] = "signed"
    """signed = with the secret; broker = whoever the broker lets publish there"""
    secret_env: str = ""
    secret_file: str = ""
    max_age_s: float = Field(60.0, gt=0, le=3600)
    """a signed request that is older, or further ahead of the service's clock, is refused"""

    @property
    def requests(self) -> str:
        """The topic below which requests come, each under its command."""
        return f"{self.topic}/request"

    @property
    def responses(self) -> str:
        """The topic below which they are answered."""
        return f"{self.topic}/response"

    @property
    def enabled(self) -> bool:
        """Whether requests are taken at all."""
        return bool(self.authentication == "broker" or self.secret_env or self.secret_file)

    @field_validator("topic")
    @classmethod
    def _can_be_published_to(cls, topic: str) -> str:
        if any(letter in "+#{}\0" for letter in topic) or topic.startswith(("/", "$")) or topic.endswith("/"):
            raise ValueError("levels without + # { }, such as plant/anomgan")
        return topic

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.authentication == "broker" and (self.secret_env or self.secret_file):
            raise ValueError('authentication = "broker" asks for no secret: remove one of them')
        return self

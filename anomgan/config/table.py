"""What every table has in common."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A strict, frozen table: no unknown keys, no silent conversions from text, numbers or booleans."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

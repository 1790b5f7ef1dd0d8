"""JSON as devices send it: what is no number is told apart from what is no JSON, and all text can be written again."""

import orjson
import pytest

from anomgan.errors import PayloadError
from anomgan.wire.document import NOT_FINITE, parse_document


@pytest.mark.parametrize(
    "payload",
    [
        b'{"fl\\ud800":1}',
        b'{"u":"\\uDFFF"}',
        b'["\\ud83d\\u0041"]',
        b'{"a":[{"b":"\\ude00\\ud83d"}]}',
        b'["\\ud800", NaN]',
    ],
)
def test_half_of_a_surrogate_pair_is_refused_for_no_store_could_take_it(payload: bytes) -> None:
    with pytest.raises(PayloadError) as refused:
        parse_document(payload)
    assert refused.value.reason == "wrong_encoding"


@pytest.mark.parametrize(
    ("payload", "document"),
    [
        (b'["\\ud83d\\ude00", NaN]', ["\U0001f600", None]),
        (b'["\\\\ud800", Infinity]', ["\\ud800", NOT_FINITE]),
        (b'{"\\u00b0C": 1e400}', {"°C": NOT_FINITE}),
    ],
)
def test_whole_pairs_and_escaped_letters_pass_beside_what_json_has_no_word_for(
    payload: bytes, document: object
) -> None:
    assert parse_document(payload) == document


def test_the_text_of_every_document_can_be_written() -> None:
    for code in (*range(0x20, 0x300), *range(0xD7F0, 0xE010)):
        try:
            document = parse_document(f'{{"\\u{code:04x}": NaN}}'.encode())
        except PayloadError:
            assert 0xD800 <= code <= 0xDFFF
        else:
            assert isinstance(document, dict)
            assert not (0xD800 <= code <= 0xDFFF)
            assert orjson.loads(orjson.dumps(document)) == document == {chr(code): None}

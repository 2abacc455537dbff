"""What a prompt says of each of several digits."""

from __future__ import annotations

import pytest

from storyreel.evaluate.things import things_in
from storyreel.worlds import find
from storyreel.worlds.digits import Digits

ATTRIBUTES = {name: find("digits").attributes[name] for name in ("digits", "motions")}


def test_every_caption_of_the_world_is_read_as_it_was_meant():
    for index in range(150):
        _, row = Digits(captions=4).make(11, index)
        shown = row["attributes"]
        expected = sorted((str(d), m) for d, m in zip(shown["digits"], shown["motions"], strict=True))
        for caption in row["captions"]:
            found = things_in(caption, ATTRIBUTES, "digits")
            assert sorted((each["digits"], each["motions"]) for each in found) == expected, caption


@pytest.mark.parametrize(
    ("prompt", "things"),
    [
        ("a 3", [{"digits": "3"}]),
        ("Two digits that dance", []),
        ("two digits, 2 and 7, the 7 going up", [{"digits": "2"}, {"digits": "7", "motions": "up"}]),
        ("moving up", []),
        ("", []),
        ("a 3 goes up and a nine from side to side", [
            {"digits": "3", "motions": "up"}, {"digits": "9", "motions": "left and right"},
        ]),
    ],
)  # fmt: skip
def test_what_is_said_of_what(prompt: str, things: list[dict[str, str]]):
    assert things_in(prompt, ATTRIBUTES, "digits") == things

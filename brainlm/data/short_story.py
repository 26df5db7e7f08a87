"""A short story in English and Chinese, for a first look at a language model."""

from __future__ import annotations

from brainlm.errors import DataMissingError

TEXTS = {
    "en": (
        "Every morning the old baker opened her shop before the sun came up. She lit the oven, "
        "weighed the flour and listened to the radio. The first customer was always the postman, "
        "who bought two rolls and told her the news of the village. One day he did not come. The "
        "baker looked down the empty street, put on her coat and went to find him. He was sitting "
        "on the bench behind the church, reading one letter after the other, and crying. “"
        "They are all for me,” he said. “In forty years nobody has ever written to me.”"
    ),
    "zh": (
        "老面包师每天早上在太阳出来以前打开店门。她点着炉子，称好面粉，一边工作一边听收音机。"
        "第一个客人总是邮递员，他买两个小面包，再告诉她村里的新闻。有一天他没有来。面包师看了看空空的"
        "街道，穿上大衣，出门去找他。他坐在教堂后面的长椅上，一封接一封地读信，眼泪流了下来。“这些信"
        "都是写给我的，”他说，“四十年来从来没有人给我写过信。”"
    ),
}


def short_story(language: str) -> str:
    """Return the short story in a language: en or zh."""
    if language not in TEXTS:
        raise DataMissingError(
            f"--language {language}: the short story is in {', '.join(TEXTS)} only; name a text "
            "file with --text"
        )
    return TEXTS[language]

"""The question sets fit their articles, and the check that says so can fail."""

import json
from pathlib import Path

import pytest

from tests.eval import build_dstc, check

HERE = Path(__file__).parent
ARTICLES = HERE.parents[1] / "deploy" / "sample_shop" / "articles"
SHOP_SETS = ("shop_more.jsonl", "shop_fresh.jsonl")
SHOP_FILES = ("sample_shop.jsonl", *SHOP_SETS)
ARDUINO_FILES = ("arduino.jsonl", "arduino_more.jsonl", "arduino_fresh.jsonl")
ONE_SPLIT = {
    "shop_more.jsonl": "calibration",
    "arduino_more.jsonl": "calibration",
    "shop_fresh.jsonl": "report",
    "arduino_fresh.jsonl": "report",
}
GOOD = {
    "id": "shop-001",
    "question": "How long may I keep it?",
    "expected": ["returns"],
    "answerable": True,
    "expected_text": ["60 days"],
    "language": "en",
    "kind": "fact",
    "split": "report",
}
KNOWLEDGE = {
    "hotel": {
        "0": {
            "name": "LARK INN",
            "reviews": {},
            "faqs": {"0": {"question": "Is there parking?", "answer": "Yes, for ten cars."}},
        }
    }
}
SEEKING = [
    {"speaker": "U", "text": "A quiet place, please."},
    {"speaker": "S", "text": "Lark Inn is quiet."},
    {"speaker": "U", "text": "Can I park there?"},
]
BOOKING = [{"speaker": "U", "text": "Book it for two nights."}]
GOLD = {"domain": "hotel", "entity_id": 0, "doc_type": "faq", "doc_id": 0}


def findings(changes: dict[str, object]) -> list[str]:
    question = check.Question.model_validate(GOOD | changes)
    return check.check_set([question], {"returns": "Within **60 days**.", "refunds": "Soon."})


def write_dstc(folder: Path) -> Path:
    (folder / "val").mkdir(parents=True)
    (folder / "knowledge.json").write_text(json.dumps(KNOWLEDGE))
    (folder / "val" / "logs.json").write_text(json.dumps([SEEKING, BOOKING]))
    labels = [{"target": True, "knowledge": [GOLD], "response": "Yes."}, {"target": False}]
    (folder / "val" / "labels.json").write_text(json.dumps(labels))
    return folder


def read_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_questions_to_the_sample_shop_fit_its_articles(capsys: pytest.CaptureFixture[str]) -> None:
    status = check.main([str(HERE / "sample_shop.jsonl"), "--articles", str(ARTICLES)])
    assert status == 0, capsys.readouterr().out


def test_questions_to_arduino_parse_and_are_balanced() -> None:
    questions, problems = check.read_questions(HERE / "arduino.jsonl")
    assert problems == []
    assert list(check.check_uniqueness(questions)) == []
    assert list(check.check_balance(questions)) == []
    assert sum(not q.answerable and q.near_miss is not None for q in questions) >= 70
    assert sum(q.answerable for q in questions) >= 70


@pytest.mark.parametrize("name", SHOP_SETS)
def test_further_questions_to_the_sample_shop_fit_its_articles(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = check.main([str(HERE / name), "--articles", str(ARTICLES)])
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "answerable", "not_answerable"),
    [("arduino_more.jsonl", 70, 60), ("arduino_fresh.jsonl", 60, 60)],
)
def test_further_questions_to_arduino_parse(
    name: str, answerable: int, not_answerable: int
) -> None:
    questions, problems = check.read_questions(HERE / name)
    assert problems == []
    assert sum(q.answerable for q in questions) == answerable
    assert sum(not q.answerable for q in questions) == not_answerable
    assert sum(not q.answerable and q.near_miss is not None for q in questions) >= 50


@pytest.mark.parametrize(("name", "split"), ONE_SPLIT.items())
def test_a_set_of_one_split_holds_no_other(name: str, split: str) -> None:
    questions, _ = check.read_questions(HERE / name)
    assert {question.split for question in questions} == {split}


@pytest.mark.parametrize("names", [SHOP_FILES, ARDUINO_FILES])
def test_no_question_stands_in_two_sets(names: tuple[str, ...]) -> None:
    questions = [question for name in names for question in check.read_questions(HERE / name)[0]]
    assert list(check.check_uniqueness(questions)) == []


def test_a_good_question_has_no_finding() -> None:
    assert findings({}) == []


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"expected": ["nowhere"]}, "no article nowhere"),
        ({"expected_text": ["61 days"]}, "no expected article says any of"),
        ({"answerable": False}, "answerable and expected do not agree"),
        ({"kind": "near_miss"}, "does not go with answerable=True"),
        ({"kind": "follow_up"}, "a follow-up without a history"),
        ({"language": "zh"}, "is not written in zh"),
        ({"near_miss": "returns"}, "the near miss is also expected"),
        ({"question": "How long? "}, "white space"),
    ],
)
def test_a_planted_fault_is_found(changes: dict[str, object], finding: str) -> None:
    assert any(finding in found for found in findings(changes))


def test_two_lines_with_one_id_are_found() -> None:
    question = check.Question.model_validate(GOOD)
    assert any("2 lines have this id" in found for found in check.check_uniqueness([question] * 2))


def test_a_lopsided_split_is_found() -> None:
    answered = check.Question.model_validate(GOOD)
    other = check.Question.model_validate(GOOD | {"split": "calibration", "answerable": False})
    assert any(found.startswith("answerable") for found in check.check_balance([answered, other]))


@pytest.mark.parametrize("split", ["calibration", "report"])
def test_a_set_of_one_split_is_not_lopsided(split: str) -> None:
    question = check.Question.model_validate(GOOD | {"split": split})
    assert list(check.check_balance([question])) == []


def test_a_line_with_an_unknown_field_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps(GOOD | {"hint": "see returns"}) + "\n")
    questions, problems = check.read_questions(path)
    assert len(questions) == 1
    assert problems[0].startswith("line 2:")


def test_a_drawn_turn_keeps_the_history_that_names_its_hotel(tmp_path: Path) -> None:
    folder = write_dstc(tmp_path / "dstc")
    build_dstc.main([str(folder), str(tmp_path / "out"), "--turns", "1", "--unanswerable", "1"])
    seeking, booking = read_lines(tmp_path / "out" / "questions.jsonl")
    assert seeking["question"] == "Can I park there?"
    assert seeking["expected"] == ["hotel:0:0"]
    assert seeking["entity_named"] == "history"
    assert seeking["history"] == [
        {"role": "contact", "text": "A quiet place, please."},
        {"role": "bot", "text": "Lark Inn is quiet."},
    ]
    assert (booking["answerable"], booking["kind"]) == (False, "not_knowledge")
    [article] = read_lines(tmp_path / "out" / "articles.jsonl")
    assert article["external_id"] == "hotel:0:0"
    assert article["title"] == "LARK INN: Is there parking?"


def test_more_turns_than_there_are_is_refused(tmp_path: Path) -> None:
    data = build_dstc.read_data(write_dstc(tmp_path / "dstc"))
    with pytest.raises(ValueError, match="hold 1 FAQ turns"):
        build_dstc.draw_questions(data, turns=2, unanswerable=0, seed=11)


def test_the_same_seed_draws_the_same_turns(tmp_path: Path) -> None:
    data = build_dstc.read_data(write_dstc(tmp_path / "dstc"))
    first = build_dstc.draw_questions(data, turns=1, unanswerable=1, seed=11)
    assert first == build_dstc.draw_questions(data, turns=1, unanswerable=1, seed=11)

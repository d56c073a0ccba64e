"""Results of benchmarks as data."""

import argparse
import json

import pytest

from benchmarks import report

ROWS = [
    {"network": "resnet18", "median_ms": 1.25, "memory_mb": None},
    {"network": "resnet34", "median_ms": 2.5, "memory_mb": 7},
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "inference.csv"


def test_rows_are_read_as_they_were_written(path):
    report.write(path, ROWS, "first")
    assert report.read(path) == [{"run": "first"} | row for row in ROWS]
    assert path.read_text().splitlines() == [
        "run,network,median_ms,memory_mb",
        "first,resnet18,1.25,",
        "first,resnet34,2.5,7",
    ]


def test_a_run_is_described(path):
    report.write(path, ROWS, "first")
    found = report.read_runs(path)["first"]
    assert set(found) == {"date", "machine", "versions", "command"}
    assert "keras" in found["versions"]
    assert found["command"].startswith("python ")


def test_a_second_run_leaves_the_first_as_it_is(path):
    path.parent.mkdir()
    path.write_text("run,network,median_ms\nfirst,resnet18,1.250\n")
    path.with_suffix(".json").write_text(json.dumps({"first": {"date": "2026-01-01"}}))
    report.write(path, ROWS[:1], "second")
    assert path.read_text().splitlines() == [
        "run,network,median_ms,memory_mb",
        "first,resnet18,1.250,",
        "second,resnet18,1.25,",
    ]
    assert report.read_runs(path)["first"] == {"date": "2026-01-01"}


def test_a_run_of_the_same_name_is_replaced(path):
    report.write(path, ROWS, "first")
    report.write(path, ROWS[:1], "first")
    assert [row["network"] for row in report.read(path)] == ["resnet18"]


def test_published_rows_are_printed_and_written(path, capsys):
    parser = argparse.ArgumentParser()
    report.add_flags(parser)
    options = parser.parse_args([f"--output={path}", "--run=mine"])
    report.publish(options, ROWS, suffix="_ratio")
    assert capsys.readouterr().out.strip().splitlines() == [
        "| network | median_ms | memory_mb |",
        "| --- | ---: | ---: |",
        "| resnet18 | 1.25 |  |",
        "| resnet34 | 2.5 | 7 |",
    ]
    rows = report.read(path.with_name("inference_ratio.csv"))
    assert [row["run"] for row in rows] == ["mine", "mine"]


def test_without_an_output_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    report.add_flags(parser)
    report.publish(parser.parse_args([]), ROWS)
    assert list(tmp_path.iterdir()) == []

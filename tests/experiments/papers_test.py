#!/usr/bin/env python3
"""Tests experiments/papers.py on made-up runs."""

import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "experiments"))
import papers  # noqa: E402


def write_run(folder, seed, aggregator, batch, corrupt, test, classes=10, noise=0.5):
    folder.mkdir(parents=True)
    config = {"seed": seed, "aggregator": aggregator, "batch_size": batch, "corrupt_fraction": noise,
              "classes": classes}
    (folder / "config.json").write_text(json.dumps(config))
    for kind, value in (("corrupt", corrupt), ("test", test), ("train_sample", 60)):
        (folder / (kind + ".csv")).write_text("epoch,count,loss,acc1,acc5\n0,9,2,10,50\n1,9,1,%g,99\n" % value)


def row_of(name, folder):
    (e,) = [e for e in papers.EXPERIMENTS if e["name"] == name]
    return papers.row_of(e, papers.runs_in(folder))


def test_medians(folder):
    for seed, of_m3 in ((1, 20), (2, 60)):
        for aggregator, batch, value in (("mean", 10, 90), ("mean", 30, 80), ("m3", 30, of_m3), ("rm3", 10, 10)):
            write_run(folder / "0" / ("%s_b%d_%d" % (aggregator, batch, seed)), seed, aggregator, batch, value, 50)
    write_run(folder / "0" / "m3_b30_noise50.partial", 3, "m3", 30, 5, 50)  # not finished
    row = row_of("medians", folder)
    assert row["seeds"] == [1, 2], row
    assert row["measured"]["m3@30 corrupt"] == [20, 60], row
    assert row["verdict"] == "holds for 1 of 2 seeds", row
    assert "20, 60 (mean 40)" in papers.page_of([row])


def test_winsorization(folder):
    # The proper accuracy is 50 % of chance and 50 % of the test accuracy: 5 + 40 and 5 + 44.
    write_run(folder / "0" / "a", 1, "mean", 100, 0, 80)
    write_run(folder / "0" / "b", 1, "winsorized:1", 100, 0, 88)
    assert row_of("winsorization", folder)["measured"]["c=1: proper"] == [49]
    assert row_of("winsorization", folder)["verdict"] == "one seed: met"
    write_run(folder / "0" / "c", 1, "winsorized:2", 100, 0, 88)  # 60 > 49 + 2
    assert row_of("winsorization", folder)["verdict"] == "one seed: not met"


def test_contributions(folder):
    write_run(folder / "0" / "a", 1, "mean", 100, 0, 80)
    header = ("epoch,step,f_pristine,f_corrupt,null_low,null_high,pristine_share,integral_pristine,"
              "integral_corrupt,integral_null_low,integral_null_high\n")

    def verdict(early, late):
        rows = ["%d,1,%g,%g,0.3,0.7,0.5,%g,%g,%g,%g\n" % (e, f, 1 - f, e * f, e * (1 - f), 0.45 * e, 0.55 * e)
                for e, f in ((1, early), (2, late))]
        (folder / "0" / "a" / "contributions.csv").write_text(header + "".join(rows))
        return row_of("contributions", folder)["verdict"]

    assert verdict(0.6, 0.3) == "one seed: met"
    assert verdict(0.52, 0.3) == "one seed: not met"  # within the null worlds
    assert verdict(0.6, 0.55) == "one seed: not met"


for test in (test_medians, test_winsorization, test_contributions):
    with tempfile.TemporaryDirectory() as name:
        test(pathlib.Path(name))
assert papers.verdict_of([None]) == "measured"
assert papers.verdict_of([True, True]) == "holds"
assert papers.verdict_of([False, False]) == "does not hold"
print("ok")

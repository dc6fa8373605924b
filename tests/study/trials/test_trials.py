"""The real photographs that the study is tried on, beside the repository."""

import pytest

from eqlib.errors import InputError
from eqlib.suites import read
from eqlib.suites.doctor import check

AURORA = "eqlib.study.trials.aurora:read_aurora"
NEAR = "eqlib.study.trials.near_session:read_near_session"


@pytest.fixture
def aurora(shared):
    return shared / "realdata" / "aurora_pairs" / "pairs.json"


@pytest.fixture
def near(shared):
    return shared / "realdata" / "flickr8k" / "near_session_pairs.json"


def test_aurora_has_52_pairs_with_both_captions(aurora):
    suite = read(AURORA, aurora)
    assert len(suite) == 52
    assert suite.records["cluster"][0] == "ag/ZY2B1"
    # both frames of an Action Genome pair come from one video
    of_ag = suite.records[suite.records["subset"] == "ag"]
    assert all(row["cluster"].split("/")[1] in row["image1"] for row in of_ag.to_dict("records"))
    report = check(AURORA, aurora, show_progress=False)
    assert report.ok
    assert report.table["images"].tolist() == [46, 56]


def test_pairs_that_share_a_photo_are_one_session(near):
    records = read(NEAR, near).records
    assert len(records) == 309
    owner = {}
    for record in records.to_dict("records"):
        for name in (record["image0"], record["image1"]):
            assert owner.setdefault(name, record["cluster"]) == record["cluster"]


def test_splits_keep_training_pictures_out(near):
    suite = read(NEAR, near, splits=["val"])
    assert len(suite) == 5
    assert all(name.startswith("dev/") for column in ("image0", "image1") for name in suite.records[column])
    with pytest.raises(InputError, match="none of 309"):
        read(NEAR, near, splits=["test"])

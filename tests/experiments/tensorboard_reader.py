#!/usr/bin/env python3
"""Prints the tags and values of the event files in a folder as TensorBoard reads them.

A check by hand that the files of experiments/record/tensorboard.h are what TensorBoard expects. It needs
the Python package tensorboard, which nothing else here does:

    python3 -m venv VENV && VENV/bin/pip install tensorboard
    VENV/bin/python tests/experiments/tensorboard_reader.py FOLDER
"""

import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

if len(sys.argv) != 2:
    sys.exit(__doc__)
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0})
events.Reload()
tags = events.Tags()
for tag in tags["scalars"]:
    for event in events.Scalars(tag):
        print(f"scalar {tag} step {event.step} time {event.wall_time:.3f}: {event.value:.6g}")
for tag in tags["histograms"]:
    for event in events.Histograms(tag):
        h = event.histogram_value
        print(f"histogram {tag} step {event.step} time {event.wall_time:.3f}: {h.num:g} values "
              f"from {h.min:.6g} to {h.max:.6g}, sum {h.sum:.6g}, of squares {h.sum_squares:.6g}")
        for limit, count in zip(h.bucket_limit, h.bucket):
            if count > 0:
                print(f"    up to {limit:.6g}: {count:g}")

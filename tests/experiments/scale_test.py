#!/usr/bin/env python3
"""docs/scale.md shows the tables that experiments/cluster/scale.py prints, and its traffic is the engine's."""
import importlib.util
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "experiments" / "cluster" / "scale.py"
spec = importlib.util.spec_from_file_location("scale", SCRIPT)
scale = importlib.util.module_from_spec(spec)
spec.loader.exec_module(scale)


class Scale(unittest.TestCase):
    def test_tables(self):
        text = (ROOT / "docs" / "scale.md").read_text()
        for table in ("steps", "plan"):
            printed = subprocess.run([sys.executable, SCRIPT, table], capture_output=True, text=True, check=True).stdout
            self.assertIn(printed, text)

    def test_traffic(self):
        self.assertEqual(scale.traffic(1, 4, 10), (8 * 3 * 3, 6))
        self.assertEqual(scale.traffic(3, 3, 10), (4 * 2 * 4 * 2, 4))
        self.assertEqual(scale.traffic(6, 2, 10), (4 * 1 * 5 * 4, 2))
        self.assertEqual(scale.traffic(3, 6, 10), scale.traffic(1, 6, 10))
        self.assertEqual(scale.traffic(1, 2, 2 * scale.MESSAGE), (8 * scale.MESSAGE, 2))
        self.assertEqual(scale.traffic(1, 2, 2 * scale.MESSAGE + 1), (8 * (scale.MESSAGE + 1), 4))

    def test_message_is_the_engines(self):
        header = (ROOT / "engine" / "parallel" / "data_parallel.h").read_text()
        self.assertIn(f"kMessage = std::int64_t{{1}} << {scale.MESSAGE.bit_length() - 1};", header)

    def test_overlap(self):
        values = 4 * 2 * scale.MESSAGE  # in four buckets on two ranks
        self.assertAlmostEqual(scale.exposed_seconds(0.4, 2, values, 3.0), 0.1)  # the last bucket
        self.assertAlmostEqual(scale.exposed_seconds(4.0, 2, values, 3.0), 2.5)  # the link is the slower
        self.assertAlmostEqual(scale.exposed_seconds(0.4, 2, 10, 3.0), 0.4)  # one bucket


if __name__ == "__main__":
    unittest.main()

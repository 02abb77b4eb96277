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


if __name__ == "__main__":
    unittest.main()

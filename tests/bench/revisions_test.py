#!/usr/bin/env python3
"""The verdicts of revisions.py over figures whose change is known."""

import random
import unittest

import revisions


def runs(values, unit="deliveries/s"):
    return [{("a", "single events", unit): value} for value in values]


class Verdicts(unittest.TestCase):
    def setUp(self):
        self.chance = random.Random(7)

    def noisy(self, value, noise=0.02, n=8):
        return [value * (1 + self.chance.uniform(-noise, noise)) for _ in range(n)]

    def verdict(self, before, after, unit="deliveries/s"):
        (row,) = revisions.compare_pairs(runs(before, unit), runs(after, unit))
        return row

    def test_a_tenth_is_seen_through_noise_of_two_percent(self):
        row = self.verdict(self.noisy(100), self.noisy(90))
        self.assertEqual(row["verdict"], "slower")
        self.assertLess(row["high"], 0)
        self.assertGreater(row["sure"], 0.95)

    def test_less_time_is_faster_and_fewer_bytes_are_smaller(self):
        self.assertEqual(self.verdict(self.noisy(100), self.noisy(90), "server µs/delivery")["verdict"], "faster")
        self.assertEqual(self.verdict(self.noisy(100), self.noisy(90), "bytes")["verdict"], "smaller")
        self.assertEqual(self.verdict(self.noisy(100), self.noisy(110), "ms")["verdict"], "slower")

    def test_equal_servers_are_the_same_nineteen_times_in_twenty(self):
        verdicts = [self.verdict(self.noisy(100, 0.1), self.noisy(100, 0.1))["verdict"] for _ in range(100)]
        self.assertGreaterEqual(verdicts.count("same"), 88)

    def test_a_change_below_one_percent_is_the_same_however_sure(self):
        row = self.verdict([100.0] * 8, [100.5] * 8)
        self.assertEqual(row["verdict"], "same")
        self.assertGreater(row["sure"], 0.95)

    def test_a_drift_of_the_machine_is_no_change(self):
        drift = [100 - 5 * i for i in range(8)]
        self.assertEqual(self.verdict(drift, [value * (1 + self.chance.uniform(-0.01, 0.01)) for value in drift])["verdict"],
                         "same")

    def test_a_figure_is_taken_relative_to_its_reference(self):
        rows = [{"section": "a", "what": "w", "unit": "u", "ours": 50, "reference": 100},
                {"section": "e", "what": "m", "unit": "bytes", "ours": 400, "reference": 0}]
        figures = revisions.figures_in({"rows": rows})
        self.assertEqual(figures, {("a", "w", "u"): 0.5, ("e", "m", "bytes"): 400})

    def test_figures_of_too_few_runs_are_left_out(self):
        self.assertEqual(revisions.compare_pairs(runs([1.0] * 5), runs([2.0] * 5)), [])


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Bytes, messages and time per step on ranks, by a simple model of the links: the tables of docs/scale.md.

A message of b bytes takes latency + b / bandwidth, and a rank sends one message at a time. The time of a
step is that of its computation plus that of its exchange: nothing overlaps.
"""
import argparse
import math

NETWORKS = {  # parameters; multiply-adds of a forward pass over an image
    "resnet18": (11_689_512, 1.82e9),
    "vgg13_bn": (133_053_736, 11.34e9),
    "inception_v3": (27_161_264, 5.73e9),
}
IMAGES, EPOCHS = 1_281_167, 90


def traffic(rule_groups, ranks, values):
    """Bytes and messages that a rank sends in a step, as engine/parallel/data_parallel.h has them; 1 group:
    the mean. Groups and ranks divide one another."""
    shard = -(-values // ranks)
    if rule_groups == 1:
        return 8 * (ranks - 1) * shard, 2 * (ranks - 1)
    held = max(1, rule_groups // ranks)
    return 4 * (ranks - 1) * shard * (held + 1), 2 * (ranks - 1)


def exchange_seconds(rule_groups, ranks, values, latency, bandwidth):
    size, messages = traffic(rule_groups, ranks, values)
    if rule_groups == 1:  # the sum over ranks can go by halves, in fewer messages
        messages = min(messages, 2 * math.ceil(math.log2(ranks)))
    return messages * latency + size / bandwidth


def step_table(args):
    print("| ranks | bytes a rank sends | messages, mean | messages, m3 | exchange, mean | exchange, m3 | share of a step |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for ranks in (9, 18, 33, 63, 129, 258, 513, 1023):  # multiples of 3 near powers of 2
        size, messages = traffic(3, ranks, args.values)
        mean = exchange_seconds(1, ranks, args.values, args.latency, args.bandwidth)
        median = exchange_seconds(3, ranks, args.values, args.latency, args.bandwidth)
        share = median / (median + args.step)
        print(f"| {ranks:,} | {size / 1e6:.1f} MB | {min(messages, 2 * math.ceil(math.log2(ranks)))} | {messages:,} "
              f"| {mean * 1e3:.2f} ms | {median * 1e3:.2f} ms | {100 * share:.0f} % |")


def plan_table(args):
    print("| network | GPUs | images/s | decoding cores | weights, gradients | exchange a step | days |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (values, forward) in NETWORKS.items():
        for gpus, of in ((1, 1), (6, 8), (63, 64)):  # batch norm and m3 need a multiple of 3
            compute = args.rows_per_gpu * 3 * 2 * forward / args.flops
            exchange = 0.0 if gpus == 1 else exchange_seconds(3, gpus, values, args.latency, args.bandwidth)
            rate = gpus * args.rows_per_gpu / (compute + exchange)
            kept = 3 if gpus == 1 else 3 + 3  # weights, momentum, gradients; those of the exchange
            print(f"| {name} | {gpus} of {of} | {rate:,.0f} | {math.ceil(rate / args.decoded)} | {kept * 4 * values / 1e9:.1f} GB "
                  f"| {exchange * 1e3:.1f} ms | {EPOCHS * IMAGES / rate / 86400:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=("steps", "plan"))
    parser.add_argument("--values", type=int, default=NETWORKS["resnet18"][0], help="parameters of the network")
    parser.add_argument("--latency", type=float, default=5e-6, help="seconds of a message")
    parser.add_argument("--bandwidth", type=float, default=10e9, help="bytes a second that a rank sends")
    parser.add_argument("--step", type=float, default=0.1, help="seconds of a step without the exchange")
    parser.add_argument("--flops", type=float, default=30e12, help="operations a second of a GPU, sustained")
    parser.add_argument("--rows-per-gpu", type=int, default=64, help="rows of a batch on each GPU")
    parser.add_argument("--decoded", type=float, default=1000.0, help="images a second that a core decodes")
    args = parser.parse_args()
    {"steps": step_table, "plan": plan_table}[args.table](args)


if __name__ == "__main__":
    main()

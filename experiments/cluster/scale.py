#!/usr/bin/env python3
"""Bytes, messages and time per step on ranks, by a simple model of the links: the tables of docs/scale.md.

A message of b bytes takes latency + b / bandwidth, and a rank sends one message at a time. Gradients go in
buckets of equal size, which become ready at equal distances of time during the backward pass, two thirds of
a step's computation.
"""
import argparse
import math

NETWORKS = {  # parameters; multiply-adds of a forward pass over an image
    "resnet18": (11_689_512, 1.82e9),
    "vgg13_bn": (133_053_736, 11.34e9),
    "inception_v3": (27_161_264, 5.73e9),
}
MESSAGE = 1 << 17  # values, DataParallel::kMessage
IMAGES, EPOCHS = 1_281_167, 90


def buckets(ranks, values):
    return -(-(-(-values // ranks)) // MESSAGE)


def traffic(rule_groups, ranks, values):
    """Bytes and messages that a rank sends in a step, as engine/parallel/data_parallel.h has them; 1 group:
    the mean. Groups and ranks divide one another."""
    shard = -(-values // ranks)
    messages = 2 * (ranks - 1) * buckets(ranks, values)
    if rule_groups == 1:
        return 8 * (ranks - 1) * shard, messages
    held = max(1, rule_groups // ranks)
    return 4 * (ranks - 1) * shard * (held + 1), messages


def messages_by_halves(ranks, values):
    """The sum over ranks can go by halves."""
    return min(2 * (ranks - 1), 2 * math.ceil(math.log2(ranks))) * buckets(ranks, values)


def exchange_seconds(rule_groups, ranks, values, latency, bandwidth):
    size, messages = traffic(rule_groups, ranks, values)
    if rule_groups == 1:
        messages = messages_by_halves(ranks, values)
    return messages * latency + size / bandwidth


def exposed_seconds(exchange, ranks, values, compute):
    """What of an exchange comes after the backward pass: at least that of the last bucket, and what does
    not fit beside the pass from the first bucket on."""
    count = buckets(ranks, values)
    return max(exchange / count, exchange - (1 - 1 / count) * 2 / 3 * compute)


def step_table(args):
    print("| ranks | bytes a rank sends | messages, mean | messages, m3 | exchange, mean | exchange, m3 | after the backward pass, m3 | share of a step |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for ranks in (9, 18, 33, 63, 129, 258, 513, 1023):  # multiples of 3 near powers of 2
        size, messages = traffic(3, ranks, args.values)
        mean = exchange_seconds(1, ranks, args.values, args.latency, args.bandwidth)
        median = exchange_seconds(3, ranks, args.values, args.latency, args.bandwidth)
        exposed = exposed_seconds(median, ranks, args.values, args.step)
        share = exposed / (exposed + args.step)
        print(f"| {ranks:,} | {size / 1e6:.1f} MB | {messages_by_halves(ranks, args.values)} | {messages:,} "
              f"| {mean * 1e3:.2f} ms | {median * 1e3:.2f} ms | {exposed * 1e3:.2f} ms | {100 * share:.0f} % |")


def plan_table(args):
    print("| network | GPUs | images/s | decoding cores | weights, gradients | exchange a step | after the backward pass | days |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, (values, forward) in NETWORKS.items():
        for gpus, of in ((1, 1), (6, 8), (63, 64)):  # batch norm and m3 need a multiple of 3
            compute = args.rows_per_gpu * 3 * 2 * forward / args.flops
            exchange = 0.0 if gpus == 1 else exchange_seconds(3, gpus, values, args.latency, args.bandwidth)
            exposed = 0.0 if gpus == 1 else exposed_seconds(exchange, gpus, values, compute)
            rate = gpus * args.rows_per_gpu / (compute + exposed)
            kept = 3 if gpus == 1 else 3 + 1  # weights, momentum, gradients; those of this rank
            print(f"| {name} | {gpus} of {of} | {rate:,.0f} | {math.ceil(rate / args.decoded)} | {kept * 4 * values / 1e9:.1f} GB "
                  f"| {exchange * 1e3:.1f} ms | {exposed * 1e3:.1f} ms | {EPOCHS * IMAGES / rate / 86400:.2f} |")


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

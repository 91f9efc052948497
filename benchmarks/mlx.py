"""How many tokens a second on MLX: the command line of mlx-lm as it is, against asp_ft's exact engine?

    python benchmarks/mlx.py [--runs 3] [--steps 8] [--batch 4] [--length 512]

Both train nano on the same rows of the demonstration's problem families and of the corpus, with the same YAML, in
steps of two micro-batches, without dropout. Each run has a process of its own; the engines take turns. Loading,
validation and writing are not timed. What counts as a token is one that is there: padding does not. Afterwards both
adapters meet the same validation rows, and the loss of their trained tokens is compared.
"""
import argparse, json, os, platform, statistics, subprocess, sys, tempfile, time
from importlib.metadata import version
from pathlib import Path

sys.path = [p for p in sys.path if Path(p).resolve() != Path(__file__).resolve().parent]  # or this file would be `mlx`
import yaml  # noqa: E402

ENGINES = dict(stock='mlx_lm.lora', exact='asp_ft')


def prepare(folder, args):
    "Rows of mixed length, and the YAML that both read."
    from asp_ft.chat import load_tokenizer
    from asp_ft.core import RunConfig
    from asp_ft.data_converter import convert
    from asp_ft.problems import CORPUS, problems
    from asp_ft.training import training_rows
    from asp_ft.training import to_mlx_config
    problems(folder/'raw', None, args.problems, 42, 'train')
    convert([folder/'raw', CORPUS], folder/'data', seed=42)
    config = RunConfig(data=str(folder/'data'), out=str(folder/'out'), dtype='float32', dropout=0, learning_rate=1e-3,
                       batch_size=args.batch, grad_accumulation=2, max_steps=args.steps, max_length=args.length,
                       skip_long=True, eval_steps=10**6, save_steps=10**6, backend='mlx')
    rows = training_rows(config, load_tokenizer('nano'))
    # mlx-lm would cut the longer ones; both get the same files without them
    fitting(folder/'data', {i for i, _ in rows['left_out']})
    (folder/'config.yaml').write_text(yaml.safe_dump(to_mlx_config(config, len(rows['train']))), encoding='utf-8')


def fitting(data, left_out):
    from asp_ft.core import read_jsonl, write_jsonl
    for name in ('train', 'valid'):
        path = data/f'{name}.jsonl'
        write_jsonl(path, [r for r in read_jsonl(path) if r['id'] not in left_out])


def stock(settings, folder):
    "The function behind `mlx_lm.lora`, with its own rows and batches; a callback reads the clock."
    from types import SimpleNamespace
    import mlx_lm.tuner.trainer as trainer
    from mlx_lm.lora import CONFIG_DEFAULTS, train_model
    from mlx_lm.tuner.datasets import load_dataset
    from mlx_lm.utils import load
    seen = dict(seconds=0., tokens=0, places=0, rows=0, different=set())
    batches = trainer.iterate_batches
    def watched(dataset, *args, loop=False, **kwargs):
        for batch, spans in batches(dataset, *args, loop=loop, **kwargs):
            if loop: count(seen, [tuple(row[:n]) for row, (_, n) in zip(batch.tolist(), spans.tolist())], batch.size)
            yield batch, spans
    trainer.iterate_batches = watched
    trainer.train.__defaults__ = tuple(watched if d is batches else d for d in trainer.train.__defaults__)
    class Clock(trainer.TrainingCallback):
        def on_train_loss_report(self, info):
            seen['seconds'] += settings['steps_per_report']/info['iterations_per_second']
        def on_val_loss_report(self, info): pass
    args = SimpleNamespace(**CONFIG_DEFAULTS | settings | dict(adapter_path=str(folder), val_batches=1))
    model, tokenizer = load(args.model)
    train_set, valid_set, _ = load_dataset(args, tokenizer)
    train_model(args, model, train_set, valid_set, Clock())
    return seen


def count(seen, rows, places):
    seen['tokens'] += sum(map(len, rows)); seen['rows'] += len(rows); seen['places'] += places
    seen['different'] |= {hash(row) for row in rows}


def exact(settings, folder):
    "The loop of asp_ft."
    from asp_ft.train_mlx import ExactRun
    seen = dict(seconds=0., tokens=0, places=0, rows=0, different=set())
    rows, pad = encoded(settings)
    run = ExactRun(settings, rows, pad)
    for _ in range(settings['iters']//run.micro):
        for batch in run.window()[1]:
            count(seen, [tuple(e.input_ids) for e in batch], len(batch)*max(map(len, batch)))
        before = time.perf_counter(); run.update(); seen['seconds'] += time.perf_counter()-before
    run.save(folder)
    return seen


def encoded(settings):
    from asp_ft.chat import load_tokenizer, pad_id
    from asp_ft.core import RunConfig
    from asp_ft.training import training_rows
    tokenizer = load_tokenizer(settings['model'])
    config = RunConfig(data=settings['data'], max_length=settings['max_seq_length'])
    return training_rows(config, tokenizer), pad_id(tokenizer)


def one(folder, engine):
    "Train once; print what was seen, and the loss on the validation rows."
    from asp_ft.training import read_mlx_config
    from asp_ft.train_mlx import ExactRun
    settings, out = read_mlx_config(folder/'config.yaml'), folder/engine
    out.mkdir(exist_ok=True)
    before = time.process_time()
    seen = dict(stock=stock, exact=exact)[engine](settings, out)
    cpu = time.process_time()-before
    run = ExactRun(settings | dict(resume_adapter_file=str(out/'adapters.safetensors')), *encoded(settings))
    print('\n'+json.dumps(seen | dict(different=len(seen['different']), loss=run.evaluate(), cpu=cpu,
                                      there=len(run.rows['train']))))


def spawn(folder, engine):
    command = [sys.executable, __file__, '--one', engine, '--folder', str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode: sys.exit(done.stdout[-2000:]+done.stderr)
    return json.loads(done.stdout.strip().split('\n')[-1])


def spread(values, form='{:.0f}'):
    return '{} ({}, {})'.format(*(form.format(f(values)) for f in (statistics.median, min, max)))


def report(found, args):
    first = found['exact'][0]
    print(f'nano, float32; {first["there"]} rows of at most {args.length} tokens; {args.steps} steps of 2 batches '
          f'of {args.batch}; median (least, most) of {args.runs} runs; {os.cpu_count()} cores, {platform.machine()}, '
          f'Python {platform.python_version()}, mlx {version("mlx")}, mlx-lm {version("mlx-lm")}\n')
    print('| | tokens/s | times stock | padding | rows seen | of which different | loss, the same validation rows |')
    print('|---|---|---|---|---|---|---|')
    speed = lambda r: r['tokens']/r['seconds']
    for engine, title in ENGINES.items():
        runs, r = found[engine], found[engine][0]
        ratio = [speed(b)/speed(a) for a, b in zip(found['stock'], runs)]
        times = '1' if engine == 'stock' else spread(ratio, '{:.2f}')
        print(f"| {title} | {spread([speed(r) for r in runs])} | {times} | "
              f"{1-r['tokens']/r['places']:.0%} | {r['rows']} | {r['different']} | {r['loss']:.3f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--runs', type=int, default=3, help='runs of which the median counts (default: 3)')
    parser.add_argument('--steps', '--updates', type=int, default=8, help='steps of a run (default: 8)')
    parser.add_argument('--batch', type=int, default=4, help='rows of a batch (default: 4)')
    parser.add_argument('--problems', type=int, default=160, help='family problems beside the corpus (default: 160)')
    parser.add_argument('--length', type=int, default=512, help='tokens of the longest row (default: 512)')
    parser.add_argument('--one', choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one: return one(args.folder, args.one)
    with tempfile.TemporaryDirectory() as tmp:
        prepare(Path(tmp), args); found = {engine: [] for engine in ENGINES}
        for _ in range(args.runs):
            for engine in ENGINES: found[engine].append(spawn(Path(tmp), engine))
    report(found, args)


if __name__ == '__main__': main()

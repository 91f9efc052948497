"""How many trained tokens a second: plain TRL, as most people write it, against asp_ft?

    python benchmarks/train.py [--runs 5] [--steps 6] [--dtype float32]
    python benchmarks/train.py --epochs 3 --layers 32 [--rows 48] [--runs 3]
    python benchmarks/train.py --epochs 3 --prompts 6 [--runs 3]
    python benchmarks/train.py --epochs 3 --model models/smollm2-135m [--rows 48]

Both train the same rows of the corpus with the same LoRA, on a random model of 24 layers in the proportions of
Qwen2.5-7B, shrunk to a width of 256. Each run has a process of its own; the kinds of run take turns. The first
step of each run warms up and is not timed.

With --epochs whole runs are timed, proofs before the first step included, and asp_ft runs once more with what the
frozen layers give kept on the disk; the time to compute and write it counts. A second table tells what the beginning
costs, what an epoch takes after it, and from which epoch on that has paid.

With --model the model is one of this machine, such as `asp_ft fetch smollm2-135m` brings.

With --prompts the rows are 8 programs for each prompt, as rejection sampling finds them: different ones that nano wrote
for prompts of the corpus at a temperature of 1 (whether they are right does not matter here). A step is 8 rows, and
those of a prompt are in one step, for all kinds of run. asp_ft runs once more with what they share computed once, and
once more with the frozen layers kept on the disk as well.
"""
import argparse, json, math, os, platform, random, resource, shutil, statistics, subprocess, sys, tempfile, time
from importlib.metadata import version
from pathlib import Path

# Qwen2.5-7B: 3584 wide, 18944 inside, 28 heads and 4 for the keys, 152064 tokens; 28 layers
SHAPE = dict(hidden_size=256, intermediate_size=1360, num_attention_heads=8, num_key_value_heads=2, vocab_size=10752,
             max_position_embeddings=4096)
KINDS = dict(trl='plain TRL: batch 1, accumulation, gradient checkpointing',
             on='asp_ft, gradient checkpointing', off='asp_ft', trunk='asp_ft, frozen layers computed once',
             trees='asp_ft, shared prefixes', both='asp_ft, shared prefixes and frozen layers computed once')
ANSWERS = 8  # programs of a prompt


def write_samples(folder, prompts, tokenizer):
    "Training rows: different programs that nano writes for the same prompts."
    from asp_ft.core import read_jsonl, write_jsonl
    from asp_ft.generate import generate
    tasks = [task for task in read_jsonl(folder/'data'/'tasks.jsonl') if task['split'] == 'train']
    write_jsonl(folder/'some.jsonl', random.Random(0).sample(tasks, 2*prompts))
    found = generate('nano', str(folder/'some.jsonl'), str(folder/'samples.jsonl'), split='train', n=2*ANSWERS,
                     temperature=1.)
    special, texts = tokenizer.all_special_tokens, {}
    for line in read_jsonl(found):
        whole = line['finish_reason'] == 'stop' and line['text'].strip()
        if whole and not any(token in line['text'] for token in special):
            texts.setdefault(line['id'], {})[line['text']] = None
    rows = [dict(id=f"{task['id']}/{i}", messages=[*task['prompt'], dict(role='assistant', content=text)])
            for task in [task for task in tasks if len(texts.get(task['id'], ())) >= ANSWERS][:prompts]
            for i, text in enumerate([*texts[task['id']]][:ANSWERS])]
    write_jsonl(folder/'data'/'train.jsonl', rows)


def prepare(folder, layers, prompts, model=None):
    "A random model with nano's tokenizer, or a copy of a model, and the rows of the corpus."
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from asp_ft.core import NANO
    from asp_ft.data_converter import convert
    from asp_ft.problems import CORPUS
    convert(CORPUS, folder/'data')
    (folder/'data'/'valid.jsonl').unlink()  # training only
    if model: shutil.copytree(model, folder/'model')
    else:
        torch.manual_seed(0)
        Qwen2ForCausalLM(Qwen2Config(num_hidden_layers=layers, **SHAPE)).save_pretrained(folder/'model')
        for name in ('tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'):
            shutil.copy(NANO/name, folder/'model')
    from asp_ft.chat import load_tokenizer
    if prompts: write_samples(folder, prompts, load_tokenizer('nano'))


def config(folder, kind, args):
    from asp_ft.core import RunConfig
    return RunConfig(model=str(folder/'model'), data=str(folder/'data'), out=str(folder/'out'), dtype=args.dtype,
                     dropout=0, max_steps=None if args.epochs else args.steps+1, epochs=args.epochs or 1,
                     trunk_cache='on' if kind in ('trunk', 'both') else 'off', group_prefixes=bool(args.prompts),
                     shared_prefixes='on' if kind in ('trees', 'both') else 'off',
                     grad_accumulation=ANSWERS if args.prompts else 4,
                     gradient_checkpointing='true' if kind == 'on' else 'false')


def row_order(config, rows):
    "The order in which asp_ft takes the rows of an epoch, one a forward pass."
    from asp_ft.train_pytorch import prompts_together
    from asp_ft.training import batch_order
    if config.group_prefixes: return prompts_together(config, rows)
    return lambda epoch: batch_order([len(row) for row in rows], 1, config.seed, epoch)


def ours(config, folder, rows, tokenizer, args):
    "The trainer of asp_ft."
    from asp_ft.train_pytorch import make_trainer
    trainer = make_trainer(config, tokenizer, rows, folder/'model', folder)
    trainer.identity = dict(base=f'a random model of {args.layers} layers')
    return trainer


def plain(config, folder, rows, tokenizer, args):
    "TRL with the same recipe and the same rows in the same order; it is given the tokens and the assistant masks."
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed
    from trl import SFTConfig, SFTTrainer
    in_epoch = row_order(config, rows['train'])
    order = [i for epoch in range(math.ceil(config.epochs)) for i in in_epoch(epoch)]
    rows = [rows['train'][i] for i in order]
    data = Dataset.from_dict(dict(input_ids=[e.input_ids for e in rows],
                                  assistant_masks=[list(map(int, e.trained)) for e in rows]))
    n_layers = AutoConfig.from_pretrained(folder/'model', trust_remote_code=False).num_hidden_layers
    layers = list(range(n_layers))[-config.num_layers:]
    lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, lora_dropout=0, task_type='CAUSAL_LM',
                      target_modules=list(config.target_modules), layers_to_transform=layers)
    settings = SFTConfig(output_dir=str(folder/'trl'), per_device_train_batch_size=1,
                     gradient_accumulation_steps=config.grad_accumulation,
                     max_steps=config.max_steps or len(rows)//config.grad_accumulation,
                     learning_rate=config.learning_rate, lr_scheduler_type='cosine',
                     warmup_steps=1, weight_decay=config.weight_decay, max_grad_norm=1., max_length=config.max_length,
                     bf16=False, train_sampling_strategy='sequential', logging_steps=1,
                     save_strategy='no', report_to=[], disable_tqdm=True)
    set_seed(config.seed)
    model = AutoModelForCausalLM.from_pretrained(folder/'model', dtype=getattr(torch, config.dtype),
                                                 trust_remote_code=False)
    return SFTTrainer(model=model, args=settings, train_dataset=data, processing_class=tokenizer, peft_config=lora)


def evenly(rows, n):
    "So many rows of all lengths, the shortest and the longest among them."
    rows = sorted(rows, key=len)
    return [rows[round(i*(len(rows)-1)/(n-1))] for i in range(n)]


def one(folder, kind, args):
    "Train once; print what was seen."
    import torch
    from transformers import TrainerCallback
    from asp_ft.models import quiet
    from asp_ft.chat import load_tokenizer
    from asp_ft.training import training_rows
    torch.set_num_threads(args.threads)
    run = config(folder, kind, args); tokenizer = load_tokenizer(run.model); rows = training_rows(run, tokenizer)
    if args.rows: rows['train'] = evenly(rows['train'], args.rows)
    losses, marks = [], []

    class Watch(TrainerCallback):
        def on_log(self, *_, logs, **__): losses.extend([logs['loss']] if 'loss' in logs else [])
        def on_step_end(self, *_, **__): marks.append((time.perf_counter(), time.process_time()))
    with quiet():
        trainer = (plain if kind == 'trl' else ours)(run, folder, rows, tokenizer, args)
        trainer.add_callback(Watch())
        if args.epochs: marks.append((time.perf_counter(), time.process_time()))
        if args.epochs and kind != 'trl': trainer.prove()
        built = time.process_time()
        trainer.train()
    wall, cpu = (b-a for a, b in zip(marks[0], marks[-1]))
    order = row_order(run, rows['train'])(0)[run.grad_accumulation:run.grad_accumulation*(run.max_steps or 0)]
    trained = sum(sum(rows['train'][i].trained) for i in order)
    if args.epochs: trained = round(args.epochs*sum(sum(row.trained) for row in rows['train']))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss*(1 if sys.platform == 'darwin' else 1024)
    from asp_ft.trunk import cache_sizes
    an_epoch = (marks[-1][1]-built)/args.epochs if args.epochs else None
    print(json.dumps(dict(wall=wall, cpu=cpu, losses=losses, trained=trained, peak=peak, built=built-marks[0][1],
                          epoch=an_epoch, kept=sum(cache_sizes().values()))))


def spawn(folder, kind, args):
    command = [sys.executable, __file__, '--one', kind, '--folder', str(folder), '--steps', str(args.steps),
               '--dtype', args.dtype, '--threads', str(args.threads), '--layers', str(args.layers),
               '--epochs', str(args.epochs), '--rows', str(args.rows), '--prompts', str(args.prompts)]
    shutil.rmtree(folder/'cache', ignore_errors=True)
    env = os.environ | dict(XDG_CACHE_HOME=str(folder/'cache'))
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode: sys.exit(done.stderr)
    return json.loads(done.stdout.strip().split('\n')[-1])


def spread(values, form='{:.0f}'):
    return '{} ({}, {})'.format(*(form.format(f(values)) for f in (statistics.median, min, max)))


def paid_from(run, other):
    "The first epoch after which a run has taken less time than the other; '-' where that never is."
    wins = other['epoch']-run['epoch']
    if wins <= 0: return '-'
    return str(max(1, math.floor((run['built']-other['built'])/wins)+1))


def report(found, args):
    "The tables, and how far the losses lie apart."
    length = f'{args.epochs:g} epochs' if args.epochs else f'{args.steps}'
    size = f'{ANSWERS} rows, those of a prompt' if args.prompts else '4 rows'
    model = Path(args.model).name if args.model else f'{args.layers} layers of width {SHAPE["hidden_size"]}'
    print(f'{model}, {args.dtype}; steps of {size}, {length} a run; '
          f'median (least, most) of {args.runs} runs; {args.threads} threads, Python {platform.python_version()}, '
          f'torch {version("torch")}, trl {version("trl")}\n')
    print('| | trained tokens/s | times plain TRL | the same in processor time | peak memory, MB |')
    print('|---|---|---|---|---|')
    for kind in found:
        title, runs = KINDS[kind], found[kind]
        ratios = [[t[clock]/r[clock] for t, r in zip(found['trl'], runs)] for clock in ('wall', 'cpu')]
        print(f"| {title} | {spread([r['trained']/r['wall'] for r in runs])} | "
              + ' | '.join('1' if kind == 'trl' else spread(r, '{:.2f}') for r in ratios)
              + f" | {spread([r['peak']/1e6 for r in runs])} |")
    apart = max(abs(a-b) for k in found for t, r in zip(found['trl'], found[k])
                for a, b in zip(t['losses'], r['losses']))
    print(f'\nThe losses lie at most {apart:.1g} apart at any step.')
    if not args.epochs: return
    print('\nOf the first run of each kind, in seconds of processor time:\n')
    print('| | a run | before the first step | an epoch | kept, MB | has paid from epoch |')
    print('|---|---|---|---|---|---|')
    for kind, (run, *_) in found.items():
        paid = paid_from(run, found['off'][0]) if kind not in ('trl', 'off') else ''
        print(f"| {KINDS[kind]} | {run['cpu']:.0f} | {run['built']:.1f} | {run['epoch']:.1f} | "
              f"{run['kept']/1e6:.0f} | {paid} |")


def kinds_of(args):
    "The kinds of run beside plain TRL."
    if args.prompts: return ('off', 'trunk', 'trees', 'both') if args.epochs else ('off', 'trees')
    return ('off', 'trunk') if args.epochs else ('on', 'off')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--runs', type=int, default=5, help='runs of which the median counts (default: 5)')
    parser.add_argument('--steps', type=int, default=6, help='timed steps of a run (default: 6)')
    parser.add_argument('--dtype', default='float32', help='of the weights: float32 or bfloat16 (default: float32)')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='of torch (default: all cores)')
    parser.add_argument('--layers', type=int, default=24, help='of the model (default: 24)')
    parser.add_argument('--epochs', type=float, default=0, help='whole runs of so many epochs (default: 0, steps)')
    parser.add_argument('--model', help='folder of a model to train (default: a random one)')
    parser.add_argument('--rows', type=int, default=0, help='rows of the corpus; 0: all (default: 0)')
    parser.add_argument('--prompts', type=int, default=0,
                        help=f'train on {ANSWERS} programs for each of so many prompts instead (default: 0)')
    parser.add_argument('--one', choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one: return one(args.folder, args.one, args)
    with tempfile.TemporaryDirectory() as tmp:
        prepare(Path(tmp), args.layers, args.prompts, args.model)
        kinds = kinds_of(args)
        found = {kind: [] for kind in ('trl', *kinds)}
        for _ in range(args.runs):
            for kind in found: found[kind].append(spawn(Path(tmp), kind, args))
    report(found, args)


if __name__ == '__main__': main()

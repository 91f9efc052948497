"""How many trained tokens a second: plain TRL, as most people write it, against asp_ft?

    python benchmarks/train.py [--runs 5] [--steps 6] [--dtype float32]

Both train the same rows of the corpus with the same LoRA, on a random model of 24 layers in the proportions of
Qwen2.5-7B, shrunk to a width of 256. Each run has a process of its own; the kinds of run take turns. The first
update of each run warms up and is not timed.
"""
import argparse, json, os, platform, resource, shutil, statistics, subprocess, sys, tempfile, time
from importlib.metadata import version
from pathlib import Path

# Qwen2.5-7B: 3584 wide, 18944 inside, 28 heads and 4 for the keys, 152064 tokens; 28 layers
SHAPE = dict(hidden_size=256, intermediate_size=1360, num_attention_heads=8, num_key_value_heads=2, vocab_size=10752,
             num_hidden_layers=24, max_position_embeddings=4096)
KINDS = dict(trl='plain TRL: batch 1, accumulation 4, gradient checkpointing',
             on='asp_ft, gradient checkpointing', off='asp_ft')


def prepare(folder):
    "A random model with nano's tokenizer, and the rows of the corpus."
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from asp_ft.core import NANO
    from asp_ft.data_converter import convert
    from asp_ft.problems import CORPUS
    convert(CORPUS, folder/'data')
    (folder/'data'/'valid.jsonl').unlink()  # training only
    torch.manual_seed(0)
    Qwen2ForCausalLM(Qwen2Config(**SHAPE)).save_pretrained(folder/'model')
    for name in ('tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'):
        shutil.copy(NANO/name, folder/'model')


def config(folder, kind, args):
    from asp_ft.core import RunConfig
    return RunConfig(model=str(folder/'model'), data=str(folder/'data'), out=str(folder/'out'), dtype=args.dtype,
                     dropout=0, max_steps=args.steps+1, gradient_checkpointing='true' if kind == 'on' else 'false')


def ours(config, folder, rows, tokenizer):
    "The trainer of asp_ft."
    from asp_ft.train_pytorch import make_trainer
    return make_trainer(config, tokenizer, rows, folder/'model', folder)


def plain(config, folder, rows, tokenizer):
    "TRL with the same recipe and the same rows in the same order; it is given the tokens and the assistant masks."
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, set_seed
    from trl import SFTConfig, SFTTrainer
    from asp_ft.training import batch_order
    order = batch_order([len(e) for e in rows['train']], 1, config.seed, 0)
    rows = [rows['train'][i] for i in order]
    data = Dataset.from_dict(dict(input_ids=[e.input_ids for e in rows],
                                  assistant_masks=[list(map(int, e.trained)) for e in rows]))
    layers = list(range(SHAPE['num_hidden_layers']))[-config.num_layers:]
    lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, lora_dropout=0, task_type='CAUSAL_LM',
                      target_modules=list(config.target_modules), layers_to_transform=layers)
    args = SFTConfig(output_dir=str(folder/'trl'), per_device_train_batch_size=1, gradient_accumulation_steps=4,
                     max_steps=config.max_steps, learning_rate=config.learning_rate, lr_scheduler_type='cosine',
                     warmup_steps=1, weight_decay=config.weight_decay, max_grad_norm=1., max_length=config.max_length,
                     bf16=False, train_sampling_strategy='sequential', logging_steps=1,
                     save_strategy='no', report_to=[], disable_tqdm=True)
    set_seed(config.seed)
    model = AutoModelForCausalLM.from_pretrained(folder/'model', dtype=getattr(torch, config.dtype),
                                                 trust_remote_code=False)
    return SFTTrainer(model=model, args=args, train_dataset=data, processing_class=tokenizer, peft_config=lora)


def one(folder, kind, args):
    "Train once; print what was seen."
    import torch
    from transformers import TrainerCallback
    from asp_ft.models import quiet
    from asp_ft.chat import load_tokenizer
    from asp_ft.training import training_rows
    torch.set_num_threads(args.threads)
    run = config(folder, kind, args); tokenizer = load_tokenizer(run.model); rows = training_rows(run, tokenizer)
    losses, marks = [], []

    class Watch(TrainerCallback):
        def on_log(self, *_, logs, **__): losses.extend([logs['loss']] if 'loss' in logs else [])
        def on_step_end(self, *_, **__): marks.append((time.perf_counter(), time.process_time()))
    with quiet():
        trainer = (plain if kind == 'trl' else ours)(run, folder, rows, tokenizer)
        trainer.add_callback(Watch()); trainer.train()
    wall, cpu = (b-a for a, b in zip(marks[0], marks[-1]))
    from asp_ft.training import batch_order
    order = batch_order([len(e) for e in rows['train']], 1, run.seed, 0)[4:4*run.max_steps]
    trained = sum(sum(rows['train'][i].trained) for i in order)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss*(1 if sys.platform == 'darwin' else 1024)
    print(json.dumps(dict(wall=wall, cpu=cpu, losses=losses, trained=trained, peak=peak)))


def spawn(folder, kind, args):
    command = [sys.executable, __file__, '--one', kind, '--folder', str(folder), '--steps', str(args.steps),
               '--dtype', args.dtype, '--threads', str(args.threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode: sys.exit(done.stderr)
    return json.loads(done.stdout.strip().split('\n')[-1])


def spread(values, form='{:.0f}'):
    return '{} ({}, {})'.format(*(form.format(f(values)) for f in (statistics.median, min, max)))


def report(found, args):
    "The table, and how far the losses lie apart."
    print(f'24 layers of width {SHAPE["hidden_size"]}, {args.dtype}; updates of 4 rows, {args.steps} a run; median '
          f'(least, most) of {args.runs} runs; {args.threads} threads, Python {platform.python_version()}, '
          f'torch {version("torch")}, trl {version("trl")}\n')
    print('| | trained tokens/s | times plain TRL | the same in processor time | peak memory, MB |')
    print('|---|---|---|---|---|')
    for kind, title in KINDS.items():
        runs = found[kind]
        ratios = [[t[clock]/r[clock] for t, r in zip(found['trl'], runs)] for clock in ('wall', 'cpu')]
        print(f"| {title} | {spread([r['trained']/r['wall'] for r in runs])} | "
              + ' | '.join('1' if kind == 'trl' else spread(r, '{:.2f}') for r in ratios)
              + f" | {spread([r['peak']/1e6 for r in runs])} |")
    apart = max(abs(a-b) for k in ('on', 'off') for t, r in zip(found['trl'], found[k])
                for a, b in zip(t['losses'], r['losses']))
    print(f'\nThe losses lie at most {apart:.1g} apart at any step.')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--runs', type=int, default=5, help='runs of which the median counts (default: 5)')
    parser.add_argument('--steps', type=int, default=6, help='timed updates of a run (default: 6)')
    parser.add_argument('--dtype', default='float32', help='of the weights: float32 or bfloat16 (default: float32)')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='of torch (default: all cores)')
    parser.add_argument('--one', choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one: return one(args.folder, args.one, args)
    with tempfile.TemporaryDirectory() as tmp:
        prepare(Path(tmp)); found = {kind: [] for kind in KINDS}
        for _ in range(args.runs):
            for kind in KINDS: found[kind].append(spawn(Path(tmp), kind, args))
    report(found, args)


if __name__ == '__main__': main()

"""What one GPU makes of training and generation, beside the peers and the floor that the card itself sets.

    python benchmarks/gpu.py [--shapes 1.5B 7B] [--steps 15] [--limit 450]
    python benchmarks/gpu.py --tiny            # the same with toy sizes, on any machine

Models are random, in real shapes, in bfloat16; rows have 300 to 1,200 tokens, of which 35 % are trained; LoRA of rank
16 on the top 16 layers. All trainers get the same rows in the same order, and their losses are compared. Each
measurement is a process of its own. A peer that is not installed is named and left out; so is what did not end in time.
What asp_ft can do faster is measured alone, beside `asp_ft, no checkpointing`, and then all of it together; what a run
said of it, such as that there are no CUDA graphs on a CPU, stands below the table.

A second table has rows of which those of a step begin alike, two thirds of them, as answers to one prompt do.

The floor of a step is the larger of two times: the operations that its tokens need, counted, at the rate of a matrix
product on this card, and the weights, read twice, at the rate of a copy.
"""
import argparse, io, json, logging, os, platform, random, shutil, statistics, subprocess, sys, tempfile, time
from importlib import util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

QWEN = dict(vocab_size=152064, hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28,
            num_key_value_heads=4, tie_word_embeddings=False)
SHAPES = {'7B': QWEN, '1.5B': QWEN | dict(vocab_size=151936, hidden_size=1536, intermediate_size=8960,
                                         num_attention_heads=12, num_key_value_heads=2, tie_word_embeddings=True)}
TOY = dict(vocab_size=4096, hidden_size=64, intermediate_size=128, num_hidden_layers=4, num_attention_heads=4,
           num_key_value_heads=2)
MODULES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
TRAINERS = {'TRL': dict(), 'TRL, no checkpointing': dict(gradient_checkpointing=False),
            'TRL + Liger': dict(use_liger_kernel=True), 'Unsloth': dict(),
            'asp_ft, checkpointing': dict(gradient_checkpointing='true'),
            'asp_ft, selective checkpointing': dict(gradient_checkpointing='selective'),
            'asp_ft, offloaded inputs': dict(gradient_checkpointing='offload'),
            'asp_ft, no checkpointing': dict(gradient_checkpointing='false'),
            'asp_ft, frozen layers once': dict(gradient_checkpointing='false', trunk_cache='on')}
FASTER = {'compiled layers': dict(compile='layers'), 'CUDA graphs': dict(compile='graphs'),
          'fused head': dict(fused_head=True), 'fused optimizer': dict(optimizer='adamw_fused'),
          'LoRA in bfloat16': dict(lora_dtype='base')}   # each alone, without checkpointing
TRAINERS |= {f'asp_ft, {name}': dict(gradient_checkpointing='false') | more for name, more in FASTER.items()}
ALL = dict(compile='layers', fused_head=True, optimizer='adamw_fused', lora_dtype='base')
TRAINERS |= {'asp_ft, all of these': dict(gradient_checkpointing='false') | ALL,
             'asp_ft, all, checkpointing': dict(gradient_checkpointing='true') | ALL}
SHARED = {'TRL': dict(), 'asp_ft, no checkpointing': dict(gradient_checkpointing='false'),
          'asp_ft, shared prefixes': dict(gradient_checkpointing='false', shared_prefixes='on'),
          'asp_ft, shared prefixes, frozen layers once': dict(gradient_checkpointing='false', shared_prefixes='on',
                                                              trunk_cache='on')}   # on rows that begin alike
PACKAGES = {'TRL + Liger': 'liger_kernel', 'Unsloth': 'unsloth'}


def device():
    import torch
    return 'cuda' if torch.cuda.is_available() else 'cpu'


def wait():
    "Until the GPU has done what it was told."
    import torch
    if torch.cuda.is_available(): torch.cuda.synchronize()


def peak():
    "The most memory that was in use on the GPU, in GiB."
    import torch
    return torch.cuda.max_memory_allocated()/2**30 if torch.cuda.is_available() else 0.


def settings_of(args):
    "The configuration of a model."
    from transformers import Qwen2Config
    shape = SHAPES[args.shape] | (TOY if args.tiny else {})
    return Qwen2Config(**shape, max_position_embeddings=8192, dtype='bfloat16', bos_token_id=None, eos_token_id=0)


def build(args):
    "A random model on the device."
    import torch
    from transformers import AutoModelForCausalLM
    torch.manual_seed(0)
    with torch.device(device()):
        model = AutoModelForCausalLM.from_config(settings_of(args), dtype=torch.bfloat16, trust_remote_code=False)
    model.config._name_or_path = f'random {args.shape}'
    return model


def save(args):
    "The random model as a folder, with nano's tokenizer."
    from asp_ft.core import NANO
    build(args).save_pretrained(args.folder/args.shape, max_shard_size='4GB')
    for name in ('tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'):
        shutil.copy(NANO/name, args.folder/args.shape)
    return {}


def rows_of(args):
    "Rows as (ids, trained), and the same in the order in which they are trained."
    from asp_ft.training import batch_order
    draws, rows = random.Random(1), []
    for i in range(args.batch*args.steps):
        length = int(draws.triangular(300, 1200, 550))//(10 if args.tiny else 1)
        trained = int(length*draws.uniform(.3, .4))
        ids = [draws.randrange(10, 4000) for _ in range(length)]
        if args.shared:
            if i % args.batch == 0: prompt = ids[:length-trained]
            ids = prompt+ids[-trained:]
        rows.append((ids, [False]*(len(ids)-trained)+[True]*trained))
    if not args.shared: return rows, [rows[i] for i in batch_order([len(ids) for ids, _ in rows], args.batch, 42, 0)]
    from asp_ft.chat import Encoded
    from asp_ft.train_pytorch import prompts_together
    order = prompts_together(configuration(args, {}), [Encoded(*row) for row in rows])
    return rows, [rows[i] for i in order(0)]


def configuration(args, more):
    "Of a run of asp_ft."
    from asp_ft.core import RunConfig
    return RunConfig(model='nano', data=str(args.folder), out=str(args.folder/'out'), dropout=0, max_steps=args.steps,
                     batch_size=args.batch, grad_accumulation=1, num_layers=args.top, dtype='bfloat16',
                     group_prefixes=args.shared, **dict(trunk_cache='off', shared_prefixes='off') | more)


def make_mark():
    "A callback that notes the time of each step, and its loss."
    from transformers import TrainerCallback

    class Mark(TrainerCallback):
        times, losses = [], []
        def on_train_begin(self, *_, **__): wait(); self.times.append(time.perf_counter())
        def on_step_end(self, *_, **__): wait(); self.times.append(time.perf_counter())
        def on_log(self, *_, logs=None, **__): self.losses.extend([float(logs['loss'])] if 'loss' in logs else [])
    return Mark()


def asp_ft_trainer(args, rows, more):
    "Our trainer, ready to train, and the configuration."
    from asp_ft import train_pytorch
    from asp_ft.chat import Encoded, load_tokenizer
    config, model = configuration(args, more), build(args)
    train_pytorch.load_base = lambda config, folder: model
    encoded = [Encoded(ids, trained) for ids, trained in rows]
    trainer = train_pytorch.make_trainer(config, load_tokenizer('nano'), dict(train=encoded, valid=[]),
                                         args.folder/args.shape, args.folder)
    trainer.identity = dict(base=f'random {args.shape} {args.tiny}')
    return trainer, config


def trl_trainer(args, order, more, model=None, lora=True):
    "TRL's trainer with its defaults."
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer
    from asp_ft.chat import load_tokenizer
    data = Dataset.from_dict(dict(input_ids=[ids for ids, _ in order],
                                  assistant_masks=[list(map(int, trained)) for _, trained in order]))
    depth = settings_of(args).num_hidden_layers
    adapter = LoraConfig(r=16, lora_alpha=160, lora_dropout=0, task_type='CAUSAL_LM', target_modules=MODULES,
                         layers_to_transform=list(range(depth))[-args.top:])
    settings = SFTConfig(output_dir=str(args.folder/'trl'), per_device_train_batch_size=args.batch,
                         gradient_accumulation_steps=1, max_steps=args.steps, learning_rate=5e-5,
                         lr_scheduler_type='cosine', warmup_steps=1, weight_decay=.01, max_grad_norm=1.,
                         max_length=4096, logging_steps=1, save_strategy='no', report_to=[], disable_tqdm=True,
                         bf16=device() == 'cuda',
                         use_cpu=device() == 'cpu', train_sampling_strategy='sequential', **more)
    set_seed(42)
    return SFTTrainer(model=model or build(args), args=settings, train_dataset=data,
                      processing_class=load_tokenizer('nano'), peft_config=adapter if lora else None)


def unsloth_model(args):
    "The saved model as Unsloth prepares it; it wants to be imported before everything else."
    from unsloth import FastLanguageModel
    model, _ = FastLanguageModel.from_pretrained(str(args.folder/args.shape), max_seq_length=2048, load_in_4bit=False,
                                                 local_files_only=True)
    depth = settings_of(args).num_hidden_layers
    return FastLanguageModel.get_peft_model(
        model, r=16, lora_alpha=160, lora_dropout=0, bias='none', use_gradient_checkpointing='unsloth',
        target_modules=MODULES, layers_to_transform=list(range(depth))[-args.top:])


def floor_of(args, order, config):
    "Operations of a step, and bytes of weights that it reads."
    from asp_ft.estimate import model_shape, token_flops
    settings_of(args).save_pretrained(args.folder/'shape')
    shape = model_shape(args.folder/'shape')
    tokens = sum(len(ids) for ids, _ in order)/args.steps
    trained = sum(map(sum, (trained for _, trained in order)))/sum(len(ids) for ids, _ in order)
    flops = token_flops(config, shape, tokens/args.batch, trained)
    return dict(flop=tokens*sum(flops.values()), bytes=2*2*shape.parameters)


def train(args):
    "Train with one trainer; steps, losses, memory."
    more = (SHARED if args.shared else TRAINERS)[args.kind]
    model = unsloth_model(args) if args.kind == 'Unsloth' else None
    import torch
    from asp_ft.core import log, RunConfig
    from asp_ft.estimate import peak_memory, model_shape
    from asp_ft.chat import Encoded
    from asp_ft.models import quiet
    words = io.StringIO()
    log.addHandler(handler := logging.StreamHandler(words))
    handler.setLevel(logging.WARNING)
    rows, order = rows_of(args)
    config = RunConfig(num_layers=args.top, batch_size=args.batch, grad_accumulation=1, dtype='bfloat16')
    found = floor_of(args, order, config)
    with quiet():
        if args.kind.startswith('asp_ft'):
            trainer, config = asp_ft_trainer(args, rows, more)
            encoded = [Encoded(ids, trained) for ids, trained in rows]
            found['estimate'] = sum(peak_memory(config, model_shape(args.folder/'shape'), encoded).values())/2**30
        else: trainer = trl_trainer(args, order, more, model, lora=args.kind != 'Unsloth')
        if torch.cuda.is_available(): torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        if args.kind.startswith('asp_ft'): trainer.prove()
        before = time.perf_counter()-started
        mark = make_mark()
        trainer.add_callback(mark)
        trainer.train()
    warm = min(3, args.steps-1)
    steps = [b-a for a, b in zip(mark.times, mark.times[1:])][warm:]
    tokens = sum(len(ids) for ids, _ in order[warm*args.batch:])
    return found | dict(step=statistics.median(steps), tokens=tokens/sum(steps), peak=peak(), losses=mark.losses,
                        before=before, said=words.getvalue().splitlines())


def rates(args):
    "What this device does at best: operations and bytes a second."
    import torch
    n, size = (256, 2**22) if args.tiny or device() == 'cpu' else (8192, 2**31)
    a, b = (torch.randn(n, n, device=device(), dtype=torch.bfloat16) for _ in 'ab')
    x = torch.zeros(size, dtype=torch.uint8, device=device())
    y = torch.empty_like(x)

    def rate(work, amount):
        for _ in range(3): work()
        wait()
        started = time.perf_counter()
        for _ in range(20): work()
        wait()
        return 20*amount/(time.perf_counter()-started)
    name = torch.cuda.get_device_name() if device() == 'cuda' else platform.machine()
    return dict(name=name, flops=rate(lambda: a@b, 2*n**3), bytes=rate(lambda: y.copy_(x), 2*size))


def generate(args):
    "Tokens a second of our decoding loop, and of the loops of transformers, at one width."
    import torch
    from asp_ft.chat import load_tokenizer
    from asp_ft.decode import Settings, answer_batch, load_model
    folder = args.folder/args.shape
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, tokenizer)
    draws, many, new = random.Random(3), 8 if args.tiny else 256, 8 if args.tiny else 64
    prompts = [[draws.randrange(10, 200) for _ in range(draws.randrange(60, 200))] for _ in range(many)]
    kind, width = args.kind.split()[0], int(args.kind.split()[1])

    def ours(prompts, new):
        keys = [(str(i), 0) for i in range(len(prompts))]
        model.generation_config.eos_token_id = [-1]   # so that all answers have the same length
        answer_batch(model, tokenizer, prompts, keys, Settings(0., 42, new), width)

    def theirs(prompts, new):
        for i in range(0, len(prompts), width):
            some = prompts[i:i+width]
            longest = max(map(len, some))
            ids = torch.tensor([[0]*(longest-len(p))+p for p in some], device=model.device)
            mask = torch.tensor([[0]*(longest-len(p))+[1]*len(p) for p in some], device=model.device)
            model.generation_config.eos_token_id = None
            with torch.inference_mode():
                model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=new, min_new_tokens=new,
                               do_sample=False, pad_token_id=0)

    def engine(prompts, new):
        from asp_ft.engines import LOOPS
        model.generation_config.eos_token_id = [-1]
        with torch.inference_mode():
            LOOPS[kind](model, prompts, [new]*len(prompts), width, lambda number, tokens: None)
    work = dict(asp_ft=ours, transformers=theirs).get(kind, engine)
    if width == 1: prompts = prompts[:16]   # one by one, more of them say nothing else
    work(prompts[:width], 4)
    wait()
    started = time.perf_counter()
    work(prompts, new)
    wait()
    return dict(tokens=len(prompts)*new/(time.perf_counter()-started), peak=peak())


def measure(what, kind, shape, args):
    "One measurement in a process of its own; what it found, or why it found nothing."
    package = PACKAGES.get(kind)
    if package and util.find_spec(package) is None: return dict(why=f'{package} is not installed')
    left = args.limit-(time.monotonic()-args.started)
    if left < 10: return dict(why='no time was left')
    flags = ['--tiny']*args.tiny+['--shared']*args.shared
    command = [sys.executable, __file__, '--one', what, '--kind', kind, '--shape', shape, '--folder', str(args.folder),
               '--steps', str(args.steps), '--batch', str(args.batch), '--top', str(args.top)]
    env = os.environ | dict(XDG_CACHE_HOME=str(args.folder/'cache'), UNSLOTH_DISABLE_STATISTICS='1',
                            HF_HUB_OFFLINE='1')
    try: done = subprocess.run(command+flags, capture_output=True, text=True, env=env, timeout=left)
    except subprocess.TimeoutExpired: return dict(why=f'not at its end after {left:.0f} s')
    if done.returncode: return dict(why=(done.stderr.strip().splitlines() or ['it failed'])[-1][:200])
    return json.loads(done.stdout.strip().splitlines()[-1])


def report_training(shape, args, best):
    "A line for each trainer, against the floor and against plain TRL."
    rows = ', rows that begin alike' if args.shared else ''
    print(f'\n### Training{rows}, {shape} shape\n\n'
          '| | tokens/s | times TRL | ms a step | of the matrix rate | peak GiB | estimated | s before the first '
          '| losses apart |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|', flush=True)
    first, left = None, []
    for kind in SHARED if args.shared else TRAINERS:
        if args.only and not any(word in kind for word in args.only): continue
        found = measure('train', kind, shape, args)
        if 'why' in found:
            left.append(f"left out: {kind}: {found['why']}")
            continue
        first = first or found
        left += [f'{kind}: {line}' for line in found['said'] if ': not used' in line or line.startswith('compile:')]
        apart = max(abs(a-b) for a, b in zip(found['losses'], first['losses']))
        floor = max(found['flop']/best['flops'], found['bytes']/best['bytes'])
        estimate = f"{found['estimate']:.1f}" if 'estimate' in found else ''
        share = 100*found['flop']/best['flops']/found['step']
        print(f"| {kind} | {found['tokens']:,.0f} | {found['tokens']/first['tokens']:.2f} | {1e3*found['step']:.0f} | "
              f"{share:.2g} % | {found['peak']:.1f} | {estimate} | {found['before']:.0f} | {apart:.4f} |", flush=True)
    if first: print(f'| floor | | | {1e3*floor:.2g} | | | | | |', flush=True)
    for line in left: print(f'\n{line}', flush=True)


def report_generation(shape, args):
    "Our loop beside those of transformers, one by one and at each width."
    print(f'\n### Generation, {shape} shape, tokens/s\n\n| side by side | asp_ft | transformers, batch by batch '
          '| static cache | continuous batching |\n|--:|--:|--:|--:|--:|')
    for width in (1, 4) if args.tiny else (1, 32, 64, 256):
        found = [measure('generate', f'{kind} {width}', shape, args)
                 for kind in ('asp_ft', 'transformers', 'static', 'continuous')]
        said = [f"{f['tokens']:,.0f}" if 'tokens' in f else f['why'] for f in found]
        print(f'| {width} | {" | ".join(said)} |', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--shapes', nargs='+', default=['1.5B', '7B'], choices=SHAPES, help='of the models')
    parser.add_argument('--steps', type=int, default=15, help='steps of a run (default: 15)')
    parser.add_argument('--batch', type=int, default=4, help='rows of a step (default: 4)')
    parser.add_argument('--top', type=int, default=16, help='layers with an adapter (default: 16)')
    parser.add_argument('--limit', type=float, default=450, help='seconds in all (default: 450)')
    parser.add_argument('--only', nargs='+', help='trainers with one of these words in their names (default: all)')
    parser.add_argument('--shared', action='store_true', help='only the rows that begin alike')
    parser.add_argument('--tiny', action='store_true', help='toy sizes, to try the script')
    for name in ('one', 'kind', 'shape'): parser.add_argument(f'--{name}', help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one: return print(json.dumps(dict(train=train, rates=rates, generate=generate, save=save)[args.one](args)))
    if args.tiny: args.steps, args.batch, args.top, args.shapes = 4, 2, 2, args.shapes[:1]
    args.started = time.monotonic()
    with tempfile.TemporaryDirectory() as tmp:
        args.folder = Path(tmp)
        best = measure('rates', '', args.shapes[0], args)
        if 'why' in best: sys.exit(best['why'])
        packages = []
        for name in ('torch', 'transformers', 'trl', 'peft', 'liger_kernel', 'unsloth'):
            try: packages.append(f'{name} {version(name)}')
            except PackageNotFoundError: continue
        print(f"{best['name']}; a matrix product reaches {best['flops']/1e12:.3g} TFLOP/s in bfloat16, a copy "
              f"{best['bytes']/1e12:.3g} TB/s; Python {platform.python_version()}, {', '.join(packages)}", flush=True)
        for shape in args.shapes:
            measure('save', '', shape, args)
            if not args.shared:
                report_training(shape, args, best)
                report_generation(shape, args)
            report_training(shape, argparse.Namespace(**vars(args) | dict(shared=True)), best)
            shutil.rmtree(args.folder/shape, ignore_errors=True)


if __name__ == '__main__': main()

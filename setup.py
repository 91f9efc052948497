"""Build configuration: every value comes from settings.ini."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
settings = ConfigParser(delimiters=['='], interpolation=None)  # values may hold '%' and ':'
settings.read(here/'settings.ini', encoding='utf-8')
cfg = settings['DEFAULT']


def words(key): return cfg.get(key, '').split()


# every `<name>_requirements` key becomes the extra `<name>`; `dev` holds all the others as well
suffix = '_requirements'
extras = {key[:-len(suffix)]: words(key) for key in cfg if key.endswith(suffix)}
extras['dev'] = list(dict.fromkeys(requirement for name in extras for requirement in extras[name]))
statuses = ['1 - Planning', '2 - Pre-Alpha', '3 - Alpha', '4 - Beta', '5 - Production/Stable', '6 - Mature', '7 - Inactive']
readme = here/'README.md'

setup(
    name=cfg['lib_name'], version=cfg['version'],
    description=cfg['description'], keywords=cfg['keywords'],
    author=cfg['author'], author_email=cfg['author_email'],
    url=cfg['git_url'],
    long_description=readme.read_text(encoding='utf-8') if readme.exists() else cfg['description'],
    long_description_content_type='text/markdown',
    license_expression={'apache2': 'Apache-2.0'}[cfg['license']], license_files=['LICENSE'],
    classifiers=['Development Status :: ' + statuses[int(cfg['status'])-1],
                 'Intended Audience :: ' + cfg['audience'],
                 'Natural Language :: ' + cfg['language'],
                 'Programming Language :: Python :: 3'],
    python_requires='>=' + cfg['min_python'],
    packages=find_packages(include=[cfg['lib_path'], cfg['lib_path']+'.*']),
    package_data={cfg['lib_path']: words('package_data')},
    install_requires=words('requirements'), extras_require=extras,
    entry_points={'console_scripts': [cfg['console_scripts']],
                  'nbdev': [f"{cfg['lib_name']}={cfg['lib_path']}._modidx:d"]},
    zip_safe=False,
)

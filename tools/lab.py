"""Configuration of JupyterLab for this repository: `jupyter lab --config tools/lab.py nbs/quickstart.ipynb`

JupyterLab writes the name of the kernel and the version of Python into every notebook that it opens, and then shows it
as changed. No file can hold what fits every machine, so a notebook gets both when it is read. When it is saved, it is
cleaned as `nbdev_clean` does, and what was only looked at stays as it was.
"""
from ipykernel.ipkernel import IPythonKernel
from jupyter_client.kernelspec import get_kernel_spec, NoSuchKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbdev.clean import clean_nb


class Notebooks(AsyncLargeFileManager):
    "Files, of which notebooks are shown with the kernel that will run them, and saved without it."
    def __init__(self, **settings):
        super().__init__(**settings)
        self.register_pre_save_hook(clean)

    async def get(self, path, content=True, type=None, format=None, **more):
        "A file or folder as Jupyter's front end sees it."
        model = await super().get(path, content, type, format, **more)
        if content and model['type'] == 'notebook': fill(model['content']['metadata'])
        return model


def fill(metadata):
    "Add to the metadata of a notebook what JupyterLab would write as soon as its kernel has started"
    name = metadata.get('kernelspec', {}).get('name', 'python3')
    try: spec = get_kernel_spec(name)
    except NoSuchKernel: return     # JupyterLab asks for another one
    metadata['kernelspec'] = dict(name=name, display_name=spec.display_name, language=spec.language)
    if spec.language == 'python': metadata['language_info'] = dict(IPythonKernel.language_info)


def clean(model, **more):
    "Take off a notebook that is saved what `nbdev_clean` takes off"
    if model['type'] == 'notebook' and model.get('content'): clean_nb(model['content'], clean_ids=True)


c = get_config()  # noqa: F821, given by Jupyter
c.ServerApp.contents_manager_class = Notebooks
